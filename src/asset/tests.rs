//! Device states by table, inventories by their faults.

use super::*;

fn settings(managed: &[&str], unmanaged: &[&str], macs: &[&str]) -> Settings {
    let located = |texts: &[&str]| texts.iter().map(|text| Located::from((*text).to_owned())).collect();
    Settings {
        managed_networks: located(managed),
        unmanaged_networks: located(unmanaged),
        managed_macs: located(macs),
        inventory: Vec::new(),
    }
}

fn build(settings: &Settings, inventory: &str) -> Result<Assets, Vec<String>> {
    let mut faults = Vec::new();
    let inventories = [Source::new("devices.csv", inventory)];
    let inventories = if inventory.is_empty() { &[][..] } else { &inventories[..] };
    let assets = Assets::build(settings, &Source::new("c.yaml", ""), inventories, &mut faults);
    if faults.is_empty() { Ok(assets) } else { Err(faults.iter().map(ToString::to_string).collect()) }
}

const INVENTORY: &str = "\
# made by the CMDB
address,mac,hostname,department,state
10.20.3.7,00:00:5e:00:53:37,radiology-ws4,Radiology,
10.20.5.11,,research-nb1,Research,unmanaged
,00-00-5E-00-53-42,ct-scanner2,\"Radiology, CT\",managed
2001:db8::7,,v6-host,,
";

#[test]
fn the_more_particular_knowledge_wins() {
    use DeviceState as D;
    let lists = settings(
        &["10.20.0.0/16", "10.66.9.0/24", "2001:db8::/32"],
        &["10.66.0.0/16", "10.20.9.0/24"],
        &["00:00:5e:00:54"],
    );
    let assets = build(&lists, INVENTORY).unwrap();
    let mac = |last: u8| Some([0, 0, 0x5e, 0, 0x53, last]);
    for (address, mac, state, hostname, reason) in [
        (
            "10.20.3.7",
            None,
            D::Managed,
            Some("radiology-ws4"),
            "managed by its address in the inventory (devices.csv:3)",
        ),
        (
            "10.99.0.1",
            mac(0x37),
            D::Managed,
            Some("radiology-ws4"),
            "managed by its MAC in the inventory (devices.csv:3)",
        ),
        (
            "10.20.3.7",
            mac(0x42),
            D::Managed,
            Some("ct-scanner2"),
            "managed by its MAC in the inventory (devices.csv:5)",
        ),
        (
            "10.20.5.11",
            None,
            D::Unmanaged,
            Some("research-nb1"),
            "unmanaged by its address in the inventory (devices.csv:4)",
        ),
        ("2001:db8::7", None, D::Managed, Some("v6-host"), "managed by its address in the inventory (devices.csv:6)"),
        (
            "::ffff:10.20.3.7",
            None,
            D::Managed,
            Some("radiology-ws4"),
            "managed by its address in the inventory (devices.csv:3)",
        ),
        ("10.20.4.1", None, D::Managed, None, "address is in the managed network 10.20.0.0/16"),
        ("10.20.9.1", None, D::Unmanaged, None, "address is in the unmanaged network 10.20.9.0/24"),
        ("10.66.1.1", None, D::Unmanaged, None, "address is in the unmanaged network 10.66.0.0/16"),
        ("10.66.9.1", None, D::Managed, None, "address is in the managed network 10.66.9.0/24"),
        (
            "10.66.1.1",
            Some([0, 0, 0x5e, 0, 0x54, 1]),
            D::Managed,
            None,
            "MAC is on the list of managed devices (00:00:5e:00:54)",
        ),
        ("192.0.2.1", None, D::Unknown, None, "in no inventory, MAC list or network of the configuration"),
    ] {
        let device = assets.device(address.parse().unwrap(), mac);
        assert_eq!((device.state, device.hostname.as_deref()), (state, hostname), "{address}");
        assert_eq!(device.reasons[0], reason, "{address}");
    }
    let quoted = assets.device("10.0.0.1".parse().unwrap(), mac(0x42));
    assert_eq!(quoted.department.as_deref(), Some("Radiology, CT"));
    assert_eq!(quoted.mac.as_deref(), Some("00:00:5e:00:53:42"));
}

#[test]
fn what_is_odd_about_a_mac_is_said_beside_the_state() {
    let assets = build(&settings(&["10.20.0.0/16"], &[], &[]), INVENTORY).unwrap();
    let other = assets.device("10.20.3.7".parse().unwrap(), Some([0x9a, 0x3c, 0x51, 0xe0, 0x66, 0x23]));
    assert_eq!(other.state, DeviceState::Managed);
    assert!(other.reasons[1].starts_with("the inventory lists another MAC"), "{:?}", other.reasons);
    assert_eq!(other.reasons.len(), 2, "of a known device, a made-up MAC says nothing new");
    let stranger = assets.device("10.20.9.9".parse().unwrap(), Some([0x9a, 0x3c, 0x51, 0xe0, 0x66, 0x23]));
    assert!(stranger.reasons[1].starts_with("MAC is locally administered"), "{:?}", stranger.reasons);
    let plain = assets.device("10.20.8.8".parse().unwrap(), Some([0, 0, 0x5e, 0, 0x53, 1]));
    assert_eq!(plain.reasons.len(), 1);
}

#[test]
fn nothing_is_known_without_configuration() {
    let device = Assets::default().device("10.0.0.1".parse().unwrap(), None);
    assert_eq!((device.state, device.mac), (DeviceState::Unknown, None));
}

#[test]
fn every_fault_of_an_inventory_names_its_place() {
    let text = "\
address,mac,hostname,state
10.20.3.300,,a,
10.20.3.1,zz,b,managd
,,c,
10.20.3.2,,d,managed
10.20.3.2,,e,managed
10.20.3.3,f
";
    assert_eq!(
        build(&Settings::default(), text).unwrap_err(),
        [
            "devices.csv:2:1: \"10.20.3.300\" is not an IP address\n 2 | 10.20.3.300,,a,\n   | ^",
            "devices.csv:3:11: \"zz\" is not a MAC address\n 3 | 10.20.3.1,zz,b,managd\n   |           ^",
            "devices.csv:3:16: unknown state \"managd\", did you mean \"managed\"?\n 3 | 10.20.3.1,zz,b,managd\n   |                ^",
            "devices.csv:4:1: a device needs an address or a mac\n 4 | ,,c,\n   | ^",
            "devices.csv:7:1: 2 fields, but the first line names 4 columns\n 7 | 10.20.3.3,f\n   | ^",
            "devices.csv:6:1: duplicate address 10.20.3.2, first listed at devices.csv:5\n 6 | 10.20.3.2,,e,managed\n   | ^",
        ]
    );
}

#[test]
fn a_header_must_name_known_columns() {
    let faults = |text| build(&Settings::default(), text).unwrap_err();
    assert_eq!(
        faults("adress,state\n10.0.0.1,managed\n"),
        ["devices.csv:1:1: unknown column \"adress\", did you mean \"address\"?\n 1 | adress,state\n   | ^",]
    );
    assert_eq!(
        faults("hostname,state\nx,managed\n"),
        [
            "devices.csv:1:1: the first line must name the columns, among them address or mac\n 1 | hostname,state\n   | ^",
        ]
    );
}

//! The detectors do no worse on the generated corpus than they did (docs/evaluation.md). A floor is what was reached
//! less a little; it may only rise. Raise it in the commit that earns it.

use shadowtap::{
    content,
    detect::{self, Detector, Signatures},
    testkit::documents::{
        Plan, corpus,
        score::{Report, predict},
    },
};

#[test]
fn the_detectors_hold_their_floors() {
    let detector = Detector::load(&detect::Settings::default(), None, &Signatures::built_in(), None)
        .unwrap_or_else(|faults| panic!("{faults:?}"));
    let documents = corpus(Plan::STANDARD);
    let report = Report::of(&documents, &predict(&documents, &detector, &content::Settings::default()));

    // Name, figure, floor.
    let mut figures = vec![("document F1".to_owned(), report.all.f1(), 0.0)];
    figures.retain(|(_, figure, floor)| figure < floor);
    assert!(figures.is_empty(), "below their floors: {figures:?}\n\n{report}");
}

//! Keys of JSON and names of form fields for events. In: a key; out: whether it is made of words that AI APIs and
//! health records use as keys. Whoever writes a document may make a key of anything, a patient's name included, so
//! what is on no list is data.

use std::sync::LazyLock;

use super::words::{Run, Words, runs};

/// Longest key that may be a name, in bytes.
pub const MAX_KEY_BYTES: usize = 40;

/// Keys with so many digits in all are numbers of something: accounts, dates, telephones.
pub const DATA_DIGITS: usize = 4;

/// Words of keys. What is also a person's name stands here only where nothing works without it (`max_tokens`).
static KEY_WORDS: LazyLock<Words> = LazyLock::new(|| Words::of(&[AI_WORDS, HEALTH_WORDS]));

/// AI APIs, web chats and the software around them.
const AI_WORDS: &str = "\
    a accept account accountid accounts action actions active activity additional address addresses after agent \
    agents ago ai all allowed alt and annotation annotations answer answers anthropic any api app append application \
    appointment appointments approved archived area args argument arguments array artifact artifacts ascii ask \
    asking asr asset assets assistant assistants at attach attachment attachments audio auth author authorization \
    auto average avg aws azure background bank base base64 batch batches bcc bearer bed before best beta bias big \
    block blocks body bool boost bot both bots bottom browser bucket budget buffer building by bytes c cache cached \
    calendar call caller calls canceled cancelled candidate candidates capabilities caption case cases category cc \
    celsius center centre chain channel channels chat chatgpt chats choice choices chosen chunk chunks citation \
    citations class claude cli client close closed code codes cohere collection command comment comments company \
    complete completed completion completions computer conduit config configuration connector container containers \
    content contents context continue control conversation conversationid conversations cookie cookies copilot \
    corpus cot count crc create created creation creator credential csrf css csv current cursor custom data database \
    dataset datasets date dates datetime day days debug deep default deleted delta deltas department departments \
    deployment depth description detail details dev developer deviation device devices dialog dialogue dict \
    dimension dimensions disabled doc docs document documents docx domain done double download draft duration each \
    edge edges edit edits effort eight element elements email embed embedding embeddings empty enable enabled \
    encoding encrypted end ended engine entities entity entries entry env environment error errors eval evening \
    event events example examples exclude exec execution existing expected experimental expire expires explanation \
    expression extension extra extract extracted extractedcontent f facility failed failure false fax fb feature \
    features feedback fetch few field fields file filedata fileid filename files filesize filetype filter filters \
    final finish first five flag flagged flags float floor folder folders footer for format formatted forms found \
    four fragment fragments frame frequency friendly from full function functions gap gemini gen generate generated \
    generation gif google gpt grammar graphql grounding group groups guardrail guardrails guid guide half handoff \
    handoffs hash header headers headline height help hex hidden high highlight hint hints history host hosted \
    hostname hosts hour hours html html5 http https i icon id id3 ids image images imageurl in inactive inbox \
    include included incomplete index info init inline inlinedata inner input inputs inputtext insert insertion \
    instance instances instruction instructions int integer intent interaction internal interval ip ipv is item \
    items iteration javascript job jobs join jpeg jpg json jsonl jsonrpc jwt k key keys keyword keywords kind kwargs \
    label labels language languages large last latency latest layer layout least left len length less level levels \
    library likelihood limit line lines link links list lists llama llm load local locale location locations locked \
    log login logit logout logprobs logs long loop low lower mac mail main many map mapping markdown mask match \
    matches max maximum maxtokens mcp md md5 mean media median medium member members memories memory message \
    messageid messages meta metadata method metric metrics middle mime mimetype min mini minimum minute minutes \
    missing mistral mode model modelid models moderation modified module month months more morning most mp3 mp4 \
    multi multimodal n name names negative new next night nine no node nodes nonce none normal not note notes null \
    num number numbers o oauth obj object objects ocr of offset ogg oid ok old on one online only op open openai \
    opened operation operations operator ops option optional options or order orders org organization organizations \
    orgid orgs origin original os otel other others out outbox output outputs outputtext owned owner p page pages \
    pagination pair parallel param parameter parameters params parent parentid parse part partial parts passage \
    passwd password path paths pattern paused payload pdf penalty pending per percent percentage permission \
    permissions persona phase pid pinned pixels plan plans platform plugin plugins png pointer policy port position \
    post pptx preamble prediction preference preferences prefix prepare presence preset preview previous primary \
    priority private prob process product products profile progress project projectid projects prompt prompted \
    prompts properties property provider proxy public purpose q quality quarter query question questions queue \
    queued quote rag range rank ranking rate ratio raw read ready reason reasoning reasons received recipient record \
    records ref reference references referrer refusal region rejected related remote render rendering repetition \
    replace replacement reply report reports req request requested requestid requests required rerank res reset \
    resource resources response responses result results retrieval retry return revised revision rewrite rgb rgba \
    right role roles room root route router row rows rule rules run runner running runs safe safety salt sample \
    samples sampling save scale schedule scheduled schema scheme scope score scores script sdk search season \
    secondary seconds secret section sections security seed segment segments select selected selection send sender \
    sensitive sent sentence sentences sentinel sequence sequences server service session sessionid sessions set \
    setting settings setup seven sha sha256 share shared sheet short show sid signature signin since single site \
    sites six size sizes skip slot slots slug small sms sni snippet snippets some sort source sources span spanid \
    spans speaker speakers speech speed sql stack stage starred start started state statement status std step steps \
    stop stopsequences store str stream streaming strict string structure structured stt style sub subject submit \
    success successful suffix suggestion suggestions sum summaries summary super support svg sync synthesis system \
    systeminstruction tab table tables tag tags take target targets task tasks team teams telemetry temperature \
    template templates ten tenant term terms tertiary test text texts theme thick thin think thinking thought \
    thoughts thread threadid threads three threshold tid tier time timeout timestamp timezone tiny title titles tls \
    to today token tokens tomorrow tool toolbox toolcall toolcalls tools tooluse top topic topics topk topp total \
    trace traceid traces track training transcript transcription transcripts transform translate translation tree \
    trigger triple true truncate truncation ttl tts turn turns two txt type types ui uid unicode unique unit units \
    until update updated upload uploads upper uri uris url urls urn usage use used user useragent userid username \
    users using utf utterance utterances uuid ux v val valid value values var variable variables variant vector \
    vectors verbose verbosity verified version video view visibility visible vision visit visitor visits voice \
    volume warning warnings wav web webhook webp websearch week weeks weight weights where wide width window wing \
    wire with without word words work workflow workspace write x xlsx xml xsrf y yaml year years yes yesterday z \
    zero zip zone";

/// Health records, claims and forms.
const HEALTH_WORDS: &str = "\
    a1c abatement abnormal accession acute addendum administered administration admission admissions admit admitted \
    advance adverse age ages al1 albumin alcohol allele allergen allergies allergy allergyintolerance alp alt \
    ambulatory amount anaesthesia anesthesia anxiety apt aptt arm arrival asserted asserter assessment assigner ast \
    atc attending attestation authored authorization balance barcode based basis beneficiary bicarbonate bilirubin \
    billed billing biopsy birth birthdate birthday blood bmi bnp bodysite bodystructure born bp bun bundle calcium \
    cancer capsule care caregiver careplan careteam category ccd cda cell charge charges chart charts chief child \
    children chloride cholesterol chronic citizenship city claim claims clinic clinical clinician clinicians clinics \
    cob codable code codeable codeableconcept codes coding codings cognitive cohort comorbidities comorbidity \
    comparison complaint complaints component components composition concept conclusion condition conditions consent \
    consents consult consultant consultation contact contacts contained contrast copay copayment cosign cost country \
    county coverage coverages cpt creatinine crp ct culture cultures currency cvx cytology dateofbirth dea death \
    deceased deductible deidentified delivery departure dependent depression device devices dg1 diagnoses diagnosis \
    diagnostic diagnosticreport dicom dictation died diet differential directive directives discharge discharged \
    disease diseases disorder disorders dispense dispensed display disposition district div dob doctor doctors \
    documentreference dod donor dosage dosages dose dosing dr drg driver drivers drug drugs dx ecg echo ed eeg \
    effective egfr ekg eligibility emergency employee employer employment encounter encounters endoscopy enrolled \
    enrollment entries entry eob er esr ethnicity evidence evn exam examination exercise explanationofbenefit \
    extension family familymemberhistory father fee fees ferritin fh fhir finding findings firstname focus follow \
    followup forename form frequency fullname functional gender general genes genetic genetics genome geo gestation \
    gestational gfr ggt given glucose goal goals grade gravida gross group gt1 guarantor guardian haemoglobin \
    handoff handover hba hba1c hcpcs hct hdl heart height hemoglobin hgb hicn hipaa histology history hl hl7 \
    hospital hospitals hpi hr hx icd icd10 icd9 icu identifier identifiers image imaging immunization immunizations \
    implant implants impression in1 indication indications individual infant informant infusion initials injection \
    inpatient inr instance instruction instructions insurance insured insurer intent interpretation intervention \
    interventions intolerance invoice iron issued job kin lab laboratory labs lactate language lastname lat \
    laterality latitude ldh ldl lesion lesions letter letters licence license lifestyle lipid lipids lng location \
    loinc lon longitude magnesium maiden mammogram managing margin marital married mass mbi med medication \
    medicationrequest medications medicationstatement meds member membership memo mental meta metastasis microscopy \
    middlename mobile mobility modality mode mood mother mr mri mrn msh mutation narrative nationality ndc neonatal \
    newborn nhs nickname nicu nk1 nodule npi nurse nurses nursing o2 objective obr observation observations obx \
    occupation onset operation operative orc order orders organization ot outcome outcomes outpatient oxygen pacu \
    pager paid pain panel para parent parents participant participants passport pathology patient patientid \
    patientname patients payer payment payments payor pco pediatric performed performer period pet ph pharmacist \
    pharmacy phi phone phonenumber phones physical physician physicians pid pii plan plans plate platelet platelets \
    pmh po2 policy policyholder postal postalcode postcode potassium practice practitioner practitioners pregnancy \
    pregnant prescribed prescriber prescription prescriptions presenting pressure problem problems procedure \
    procedures profile prognosis progress protein protocol provider providers province psa psh psychiatric pt ptt \
    pulse pv1 quantity questionnaire questionnaireresponse race radiology range rate rbc reaction reactions \
    recipient recommendation recommendations record recorded recorder records redacted reference referral referrals \
    referring refill refills registry relation relationship relative relatives religion requester resident resource \
    resourcetype respiration respiratory response risk risks ros route rr rx rxnorm salutation sample saturation \
    sbar school score scores scribe security serial series servicerequest severity sex sh sibling sign signs sin \
    sleep smoker smoking snomed soap social sodium sop specialist specialty specimen specimens spo spouse ssn staff \
    stage staging state street strength student studies study subject subjective subscriber subscriberid substance \
    suicide suite summary supply surgeon surgeries surgery surgical surname symptom symptoms system t3 t4 tablet \
    tablets technician technique tel telecom telephone temp temperature test tests therapies therapist therapy \
    tobacco town transcript transfer transferred transplant treatment treatments triage trial triglycerides troponin \
    tsh tumor tumour uid ultrasound umls unit units up urea urinalysis urine us use v2 vaccination vaccine vaccines \
    value valuequantity valuestring variant variants vehicle verification village vital vitals ward wbc weight xr \
    xray zipcode";

/// Whether a key may stand in an event: each of its words, parted by `_`, `-`, `$`, `:`, digits or capitals, is known.
#[must_use]
pub fn is_name(key: &[u8]) -> bool {
    if key.len() > MAX_KEY_BYTES {
        return false;
    }
    let (mut digits, mut words) = (0, 0);
    for (run, text) in runs(key) {
        match run {
            Run::Letters if is_word(text) => words += 1,
            Run::Digits => digits += text.len(),
            Run::Other if text.iter().all(|byte| b"_-$:".contains(byte)) => {}
            Run::Letters | Run::Other => return false,
        }
    }
    words > 0 && digits < DATA_DIGITS
}

fn is_word(text: &[u8]) -> bool {
    KEY_WORDS.hold_all_of(text)
}

#[cfg(test)]
mod tests {
    use super::is_name;

    #[test]
    fn keys_that_may_be_data_are_no_names() {
        for data in [
            "536-22-8741",
            "536",
            "0",
            "Jane Testcase",
            "jane testcase",
            "jane_testcase",
            "Testcase, Jane",
            "Testcase",
            "quackenbush",
            "QUACKENBUSH",
            "quackenbushJane",
            "patientQuackenbush",
            "patient_quackenbush",
            "ssnzebediah",
            "jane@example.org",
            "patient_00412345",
            "id1962",
            "1947-03-02",
            "Zoë",
            "",
            "_",
            "10.1.2.3",
            "msg[quackenbush]",
            &"id".repeat(21),
        ] {
            assert!(!is_name(data.as_bytes()), "{data}");
        }
    }

    #[test]
    fn keys_of_ai_interfaces_and_health_records_are_names() {
        for name in [
            "messages",
            "content",
            "parts",
            "system_prompt",
            "systemInstruction",
            "inlineData",
            "image_url",
            "file_data",
            "toolCalls",
            "tool_calls",
            "arguments",
            "inputText",
            "chat_history",
            "extracted_content",
            "query_str",
            "conversation_id",
            "parent_message_id",
            "timezone_offset_min",
            "max_tokens",
            "top_p",
            "logit_bias",
            "n",
            "sensitive_string_value",
            "prompt_cache_key",
            "Content-Type",
            "$ref",
            "$schema",
            "jsonrpc",
            "params",
            "mrn",
            "MRN",
            "MRNNumber",
            "ssn",
            "dob",
            "birthDate",
            "birthdate",
            "date_of_birth",
            "dateOfBirth",
            "Patient",
            "patientName",
            "patient_id",
            "firstName",
            "last_name",
            "resourceType",
            "valueQuantity",
            "medicationCodeableConcept",
            "fhir:id",
            "icd10",
            "sha256",
            "address1",
            "hba1c",
            "phone_number",
            "note",
            "notes",
            "dischargeSummary",
            "chief_complaint",
            "insurance_id",
            "AccountNumber",
            "attachments",
            "metadata",
            "file",
        ] {
            assert!(is_name(name.as_bytes()), "{name}");
        }
    }
}

//! JUnit reports, small ones of every kind and two large ones.

use std::io::Write as _;

use super::super::tests::{check, read, read_report, refuses};
use super::super::{MAX_NAME_BYTES, MAX_TEXT_BYTES};
use super::*;
use crate::progress::{Progress, Unit};

fn suite(cases: &str) -> String {
    format!("<testsuites><testsuite name='s'>{cases}</testsuite></testsuites>")
}

#[test]
fn what_happened_in_a_testcase_is_its_outcome() {
    const PASSED: (&str, usize) = ("PASSED", 0);
    const WARNED: (&str, usize) = ("WARNED", 1);
    const FAILED: (&str, usize) = ("FAILED", 2);
    for (inside, attributes, (result, place)) in [
        ("", "", PASSED),
        (
            "<properties><property name='a'/></properties><system-out>failure</system-out>",
            "",
            PASSED,
        ),
        ("<failure message='m'>text</failure>", "", FAILED),
        ("<error/>", "", FAILED),
        ("<skipped/>", "", WARNED),
        ("<skipped message='m' type='pytest.xfail'/>", "", WARNED),
        ("<flakyFailure><stackTrace>t</stackTrace></flakyFailure>", "", WARNED),
        ("<flakyError/><flakyFailure/>", "", WARNED),
        // What failed in the end after it failed again, and what nothing says to have passed.
        ("<failure/><rerunFailure/><rerunError/>", "", FAILED),
        ("<rerunFailure/>", "", FAILED),
        ("<failure type='flaky failure'/><flakyFailure/>", "", FAILED),
        ("<skipped/><error/>", "", FAILED),
        // Inside of what happened, and in output, nothing happens.
        ("<flakyFailure><failure/></flakyFailure>", "", WARNED),
        ("<system-out><failure/></system-out>", "", PASSED),
        ("<system-out><![CDATA[<failure/>]]></system-out>", "", PASSED),
        ("<x:skipped xmlns:x='y'/>", "", WARNED),
        ("", "status='notrun' result='suppressed'", WARNED),
        ("", "status='run' result='skipped'", WARNED),
        ("", "status='Disabled'", WARNED),
        ("", "status='FAILED'", FAILED),
        ("", "status='run' result='completed'", PASSED),
    ] {
        let text = suite(&format!("<testcase name='n' {attributes}>{inside}</testcase>"));
        let mut names: [&[&str]; 3] = [&[]; 3];
        names[place] = &["n"];
        check(&FORMAT, &text, result, names, 0);
    }
}

#[test]
fn names_are_of_class_and_test() {
    for (attributes, expected) in [
        ("classname='a.B' name='c'", "a.B::c"),
        ("name='c' classname=''", "c"),
        ("name='' classname='a.B'", "a.B"),
        ("name='c'", "c"),
        ("classname='a'", "a"),
        ("name='&lt;&#x41;&amp;&quot;&#10;ü&gt;' classname=\"it's\"", "it's::<A&\"\nü>"),
        ("name='a\n\tb'", "a  b"),
        ("x:name='no' name='yes'", "yes"),
    ] {
        check(
            &FORMAT,
            &suite(&format!("<testcase {attributes}/>")),
            "PASSED",
            [&[expected], &[], &[]],
            0,
        );
    }
}

#[test]
fn suites_nest_and_names_repeat() {
    let case = |name: &str| format!("<testcase name='{name}'/>");
    let (a, b) = (case("a"), case("b"));
    let inner =
        format!("<testsuite name='1'>{a}<testsuite name='2'>{a}</testsuite>{b}</testsuite>");
    for text in [
        format!("<testsuites>{inner}</testsuites>"),
        inner.clone(),
        format!(
            "<?xml version='1.0'?><!-- c --><t:testsuites xmlns:t='u'>{inner}</t:testsuites>\n"
        ),
        format!("<!DOCTYPE testsuites SYSTEM 'junit.dtd'><testsuites>{inner}</testsuites>"),
        format!("\u{feff}<testsuites><group>{inner}</group></testsuites>"),
    ] {
        check(&FORMAT, &text, "PASSED", [&["a", "a", "b"], &[], &[]], 0);
    }
}

#[test]
fn what_a_report_counts_and_does_not_list_failed_all_the_same() {
    let case = "<testcase name='a'/>";
    for (attributes, result, warnings) in [
        ("tests='1' failures='0' errors='0' skipped='0' disabled='0'", "PASSED", 0),
        ("tests='1' failures='1'", "FAILED", 1),
        ("tests='1' errors='2'", "FAILED", 1),
        ("tests='2'", "PASSED", 1),
        ("skipped='1' tests='1'", "PASSED", 1),
        ("tests='' failures='NaN' errors='-1'", "PASSED", 0),
    ] {
        let root = format!("<testsuites {attributes}>{case}</testsuites>");
        check(&FORMAT, &root, result, [&["a"], &[], &[]], warnings);
        let inner = format!("<testsuites><testsuite {attributes}>{case}</testsuite></testsuites>");
        check(&FORMAT, &inner, result, [&["a"], &[], &[]], warnings);
    }
    // A test that was skipped and failed is one that failed.
    let text = "<testsuite tests='1' failures='1' skipped='0'><testcase name='a'>\
        <skipped/><failure/></testcase></testsuite>";
    check(&FORMAT, text, "FAILED", [&[], &[], &["a"]], 0);
    let text = "<testsuites tests='3' errors='1'>\
        <testsuite name='p' tests='0'><testcase name='a'/></testsuite>\
        <testsuite name='q' tests='1' failures='1'><testcase name='a'/></testsuite></testsuites>";
    assert_eq!(
        read(&FORMAT, text).unwrap().warnings,
        [
            "the report states 3 tests but lists 2, states 1 failed test but lists 0",
            "suite p states 0 tests but lists 1, and so does 1 suite more",
        ]
    );
}

#[test]
fn a_suite_that_failed_itself_is_listed() {
    let text = suite("<error message='setup'/><testcase name='a'/>");
    check(&FORMAT, &text, "FAILED", [&["a"], &[], &["s"]], 0);
    let text = "<testsuite errors='1'><testcase name='a'/><error/></testsuite>";
    check(&FORMAT, text, "FAILED", [&["a"], &[], &[]], 0);
}

#[test]
fn refuses_a_report_of_zero_tests() {
    for text in [
        "<testsuites/>",
        "<testsuite name='s' tests='0' failures='0'/>",
        "<testsuites tests='0' errors='1'></testsuites>",
        "<testsuites tests='5' failures='5'><testsuite tests='5'/></testsuites>",
    ] {
        refuses(&FORMAT, text, "a report of zero tests");
    }
}

#[test]
fn refuses_what_is_cut_off_or_not_well_formed_and_says_where() {
    let case = "<testcase name='a'/>";
    for (text, words) in [
        (
            format!("<testsuite>\n{case}\n"),
            "an end of the testsuite in r, found the end of the report in line 3",
        ),
        ("<testsuite>\n<testcase name='a'>".to_owned(), "an end of the testcase"),
        ("<testsuite><properties>".to_owned(), "an end of the element"),
        (
            format!("<testsuite>{case}\n<system-out><![CDATA[ ... ]]"),
            "CDATA not closed: `]]>` not found before end of input in line 2",
        ),
        (format!("<testsuite>{case}<!-- --"), "comment not closed"),
        ("<testsuite><testcase name='a".to_owned(), "attribute value not closed"),
        (format!("<testsuite>{case}</testsuit"), "tag not closed"),
        (format!("<testsuite>{case}</testsuites>"), "expected `</testsuite>`"),
        (format!("<testsuite>{case}</testsuite></testsuite>"), "does not match any open tag"),
        (format!("<testsuite>{case}</testsuite> x"), "found text"),
        (format!("<testsuite>{case}</testsuite><![CDATA[x]]>"), "found text"),
        (
            format!("<testsuite>{case}</testsuite>\n<testsuite/>"),
            "one root element in r, found another in line 2",
        ),
        ("<testrun><testcase name='a'/></testrun>".to_owned(), "found testrun"),
        ("<!-- -->".to_owned(), "found none"),
        ("<testsuite><testcase/></testsuite>".to_owned(), "a testcase with a name"),
        (
            "<testsuite><testcase name='a'><testcase name='b'/></testcase></testsuite>".to_owned(),
            "found another testcase",
        ),
        ("<testsuite><testcase name='a' name='b'/></testsuite>".to_owned(), "duplicate"),
        ("<testsuite><testcase name=a/></testsuite>".to_owned(), "attribute"),
        ("<testsuite><testcase name='&evil;'/></testsuite>".to_owned(), "evil"),
        (
            "<!DOCTYPE a [<!ENTITY evil 'x'>]><testsuite><testcase name='&evil;'/></testsuite>"
                .to_owned(),
            "declarations of its own",
        ),
        (format!("{}{case}", "<testsuite>".repeat(MAX_DEPTH + 1)), "at most 256 deep"),
        (format!("<testsuite {}/>", "a=' ' ".repeat(2)), "duplicate"),
    ] {
        refuses(&FORMAT, &text, words);
    }
    let attributes: String = (0..=MAX_ATTRIBUTES).map(|i| format!(" a{i}=''")).collect();
    refuses(&FORMAT, format!("<testsuite{attributes}/>"), "at most 256 attributes");
}

#[test]
fn says_what_is_wrong_with_other_encodings() {
    let report = |encoding: &str, name: &[u8]| {
        let before =
            format!("<?xml version='1.0' encoding='{encoding}'?><testsuite><testcase name='");
        [before.as_bytes(), name, b"'>caf\xe9</testcase></testsuite>"].concat()
    };
    // Output may be of any encoding, because it is not read.
    for (encoding, name) in
        [("UTF-8", "é"), ("us-ascii", "e"), ("ISO-8859-1", "e"), ("utf-16", "e")]
    {
        let text = report(encoding, name.as_bytes());
        let read = read_report(&FORMAT, &Report::of_bytes("r", text)).unwrap();
        assert_eq!(read.passed, [name]);
    }
    let said = "a report in UTF-8 in r, found other bytes, as it says that it is in ISO-8859-1";
    refuses(&FORMAT, report("ISO-8859-1", b"caf\xe9"), said);
    refuses(
        &FORMAT,
        report("UTF-8", b"caf\xe9"),
        "a report in UTF-8 in r, found other bytes in line 1",
    );
    refuses(
        &FORMAT,
        report("windows-1252", "é".as_bytes()),
        "a name in what it says is windows-1252",
    );
    let text = "<testsuite><testcase name='a'/></testsuite>";
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    refuses(&FORMAT, &wide, "found one in UTF-16");
    refuses(&FORMAT, [b"\xff\xfe", &wide[..]].concat(), "found one in UTF-16");
}

#[test]
fn cuts_what_is_too_long_and_refuses_it_only_in_a_name() {
    let long = "<".repeat(MAX_TEXT_BYTES).replace('<', "&lt;");
    let text = suite(&format!("<testcase name='n'><failure message='{long}'/></testcase>"));
    check(&FORMAT, &text, "FAILED", [&[], &[], &["n"]], 0);
    // Wherever the cut is in an escape.
    for name in (0..4).map(|shift| format!("name='{}{long}'", "-".repeat(shift))) {
        let text = suite(&format!("<testcase {name}/>"));
        refuses(&FORMAT, text, "bytes in the name of one test");
    }
    for name in [format!("name='{long}'"), format!("name='n' classname='{long}'")] {
        let text = suite(&format!("<testcase {name}/>"));
        refuses(&FORMAT, text, "bytes in the name of one test");
    }
    let many = "<testcase name='0123456789'/>".repeat(MAX_NAME_BYTES / 10 / 100);
    assert!(read(&FORMAT, &suite(&many)).is_ok());
}

/// A report in a file, written piece by piece.
fn in_a_file(pieces: impl Iterator<Item = Vec<u8>>) -> Report {
    let mut file = std::io::BufWriter::new(tempfile::tempfile().unwrap());
    for piece in pieces {
        file.write_all(&piece).unwrap();
    }
    let file = file.into_inner().unwrap();
    Report::of_file("large.xml", file, Progress::hidden(Unit::Bytes)).unwrap()
}

#[test]
fn imports_200_000_tests() {
    const TESTS: usize = 200_000;
    let cases = (0..TESTS).map(|i| {
        let inside = if i % 100 == 0 { "<skipped/>" } else { "<system-out>some</system-out>" };
        format!("<testcase classname='c{}' name='t{i}'>{inside}</testcase>\n", i % 7).into_bytes()
    });
    let before = format!("<testsuite tests='{TESTS}' skipped='{}'>", TESTS / 100).into_bytes();
    let pieces = std::iter::once(before).chain(cases).chain([b"</testsuite>".to_vec()]);
    let read = read_report(&FORMAT, &in_a_file(pieces)).unwrap();
    assert_eq!((read.passed.len(), read.warned.len()), (TESTS - TESTS / 100, TESTS / 100));
    assert_eq!(read.passed.last().unwrap(), &format!("c{}::t{}", (TESTS - 1) % 7, TESTS - 1));
    assert_eq!(read.warnings, [""; 0]);
}

#[test]
fn imports_a_test_with_64_megabytes_of_output() {
    let before = b"<testsuite><testcase name='a'><system-out><![CDATA[".to_vec();
    let output = std::iter::repeat_n(b"<failure/> ]] > out\n".repeat(1 << 16), 52);
    let after = b"]]></system-out></testcase><testcase name='b'/>\n</testsuite>".to_vec();
    let report = in_a_file([before].into_iter().chain(output).chain([after]));
    assert!(report.bytes() > 64 << 20);
    let read = read_report(&FORMAT, &report).unwrap();
    assert_eq!(
        (read.result.as_str(), read.passed),
        ("PASSED", vec!["a".to_owned(), "b".to_owned()])
    );
}

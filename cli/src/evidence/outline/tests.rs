//! Outlines: what documents are taken for, what is refused, and that an outline does not grow.

use super::*;

fn shape(text: impl AsRef<[u8]>) -> Shape {
    take(&mut text.as_ref(), "r").unwrap().shape
}

#[test]
fn tells_documents_apart_by_what_they_are_made_of() {
    for (text, expected) in [
        ("", "an empty file"),
        ("\u{feff} \n", "an empty file"),
        ("[]", "JSON, an empty list"),
        ("{}\n", "JSON, an object without members"),
        ("{\"a\":1,\n\"b\":[]}", "JSON, an object with the members a, b"),
        ("\u{feff}{\"a\":1}", "JSON, an object with the members a"),
        ("{\"a\":1}\n{\"b\":1}\n", "JSON lines, an object with the members a, b"),
        ("{\"a\":1}\nFAIL\n{\"c\":1}", "JSON lines, an object with the members a, c"),
        ("warming up\n{\"a\":1}\n", "JSON lines, an object with the members a"),
        ("[info] warming up\n{\"a\":1}\n", "JSON lines, an object with the members a"),
        ("<?xml version='1.0'?><!-- - --><a:b/>", "XML with the root element b"),
        ("ok 1\n", "text"),
        ("\0\u{1}", "binary data"),
    ] {
        assert_eq!(take(&mut text.as_bytes(), "r").unwrap().describe(), expected, "{text}");
    }
}

#[test]
fn lays_the_elements_of_a_list_over_each_other() {
    let Shape::Json(sketch) = shape(r#"{"a":[{"b":null,"c":"x"},{"b":[1],"c":{}},2]}"#) else {
        panic!("expected JSON")
    };
    assert_eq!(sketch.count(&["a"]), Some(3));
    assert_eq!(sketch.count(&["a", "*", "b"]), Some(1));
    assert_eq!(sketch.text(&["a", "*", "c"]), Some("x"));
    assert!(!sketch.has(&["a", "*", "d"]) && sketch.has_all(&["a"]));
}

#[test]
fn refuses_what_begins_as_json_or_xml_and_is_not() {
    for text in ["{\"a\":", "[1,]", "{} x", "<", "<!-- -->", "{\"a\":\u{1}}"] {
        let refused = take(&mut text.as_bytes(), "r");
        assert!(matches!(refused, Err(ImportError::Malformed { .. })), "{text}");
    }
}

#[test]
fn tells_text_in_another_encoding_and_how_to_convert_it() {
    use crate::output::Remedy as _;
    for (bytes, expected) in [
        (&b"\xff\xfe{\0}\0"[..], "expected r to be in UTF-8, found UTF-16"),
        (b"\xfe\xff\0<", "expected r to be in UTF-8, found UTF-16"),
        (b"\xff\xfe\0\0{\0\0\0", "expected r to be in UTF-8, found UTF-32"),
    ] {
        let refused = take(&mut &*bytes, "r").unwrap_err();
        assert_eq!(refused.to_string(), expected);
        assert!(refused.fix().unwrap().contains("-t UTF-8 r"));
    }
}

#[test]
fn says_that_a_report_is_cut_off_only_where_it_may_be() {
    use crate::output::Remedy as _;
    let cut = take(&mut &b"{\"a\":"[..], "r").unwrap_err();
    assert!(cut.fix().unwrap().starts_with("run the tool again: the report may be cut off"));
    let found = crate::evidence::Report::of_bytes("r", "{}").malformed("a version", "another");
    assert!(found.fix().unwrap().starts_with("have the tool write what is expected there"));
}

#[test]
fn reads_json_lines_that_are_longer_than_the_head() {
    let line = format!("{{\"a\":\"{}\"}}", "x".repeat(HEAD_BYTES));
    for end in ["", "\n"] {
        assert!(matches!(shape(format!("{line}{end}")), Shape::Json(_)));
        let Shape::JsonLines(sketch) = shape(format!("{line}\n{line}{end}")) else {
            panic!("expected JSON lines")
        };
        assert!(sketch.has(&["a"]));
    }
    let refused = take(&mut format!("{line} x").as_bytes(), "r");
    assert!(matches!(refused, Err(ImportError::Malformed { .. })));
}

#[test]
fn does_not_grow_with_the_document() {
    let members: Vec<String> = (0..10_000).map(|i| format!("\"{i}\":{{\"x\":1}}")).collect();
    let Shape::Json(Sketch::Map(kept)) = shape(format!("{{{}}}", members.join(","))) else {
        panic!("expected an object")
    };
    assert_eq!(kept.len(), MAX_MEMBERS);
    let text = "x".repeat(1 << 20);
    let Shape::Json(sketch) = shape(format!("[\"{text}\"]")) else { panic!("expected a list") };
    assert_eq!(sketch.text(&["*"]).map(str::len), Some(MAX_TEXT_CHARS));
}

use super::*;
use serde_json::json;

/// The ids of the denials of a module, or why there are none.
fn ids(rules: &str, input: &Json) -> Result<Vec<String>, EvaluationError> {
    let module = format!("package gate\n{rules}\n");
    Ok(denials(&module, input)?.into_iter().map(|denial| denial.id).collect())
}

#[track_caller]
fn denies(rules: &str, expected: &[&str]) {
    let input =
        json!({"n": 3, "list": ["b", "a", "a"], "text": "abc", "deep": {"x": [1, {"y": 2}]}});
    assert_eq!(
        ids(rules, &input),
        Ok(expected.iter().map(ToString::to_string).collect()),
        "{rules}"
    );
}

fn refusal(module: &str) -> String {
    match lint(module) {
        Ok(()) => "accepted".to_owned(),
        Err(error) => {
            let line = module.get(..error.at).unwrap_or_default().matches('\n').count() + 1;
            format!("line {line}: {error}")
        }
    }
}

#[test]
fn each_element_of_deny_is_a_denial() {
    for (rules, expected) in [
        ("deny contains \"x\" if input.n > 2", &["x"][..]),
        ("deny contains \"x\" if input.n > 3", &[]),
        ("deny contains e if some e in input.list", &["a", "b"]),
        ("deny := [e | some e in input.list]", &["a", "b"]),
        ("deny contains {\"msg\": \"long\", \"id\": \"short\", \"more\": 1} if true", &["short"]),
        ("deny contains {\"msg\": \"long\"} if true", &["long"]),
        ("allow if true\ndeny contains \"x\" if allow", &["x"]),
        ("default deny := []\ndeny := [\"x\"] if input.n > 3", &[]),
        (
            "deny contains sprintf(\"%d of %v\", [input.n, input.list]) if true",
            &["3 of [\"b\", \"a\", \"a\"]"],
        ),
    ] {
        denies(rules, expected);
    }
}

#[test]
fn nothing_but_deny_counts() {
    denies(
        "allow if true\ndeny contains \"x\" if true\npermit := true\nexception contains \"x\" if true",
        &["x"],
    );
}

#[test]
fn the_functions_of_the_interpreter_answer_as_they_do() {
    for (rule, expected) in [
        ("concat(\", \", [\"a\", \"b\"])", "a, b"),
        ("replace(input.text, \"b\", \"-\")", "a-c"),
        ("upper(input.text)", "ABC"),
        ("split(\"a/b\", \"/\")[1]", "b"),
        ("format_int(count(numbers.range(1, 10)), 10)", "10"),
        ("object.get(input, \"none\", \"default\")", "default"),
        ("concat(\"\", array.concat([\"a\"], [\"b\"]))", "ab"),
        ("sprintf(\"%v\", [union({{1}, {2}})])", "{1, 2}"),
        ("sprintf(\"%v\", [regex.match(`^a\\w+$`, input.text)])", "true"),
        ("sprintf(\"%v\", [startswith(\"abc\", \"b\")])", "false"),
        ("trim_left(\"xxa\", \"x\")", "a"),
        ("sprintf(\"%v\", [sum([1, 2]) - count([1])])", "2"),
        ("sprintf(\"%05d\", [42])", "00042"),
    ] {
        denies(&format!("deny contains {rule} if true"), &[expected]);
    }
}

#[test]
fn modules_of_several_rules_and_functions_work() {
    let rules = r#"
import rego.v1

worst(scan) := max([order[s] | some found in scan.results; s := found.severity])

order := {"low": 1, "high": 2}

by_id[result.id] := [result.severity, scan.name] if {
    some scan in input.scans
    some result in scan.results
}

deny contains {"msg": msg, "id": id} if {
    some scan in input.scans
    worst(scan) * 10 >= 20
    some id, [severity, name] in by_id
    severity == "high"
    every other in input.scans {
        other.name != "none"
    }
    not input.excused[id]
    msg := sprintf("%s: %s found %s", [name, id, severity])
}
"#;
    let found = |id: &str, severity: &str| json!({"id": id, "severity": severity});
    let input = json!({
        "scans": [
            {"name": "one", "results": [found("CVE-1", "high"), found("CVE-2", "low")]},
            {"name": "two", "results": [found("CVE-3", "high")]},
        ],
        "excused": {"CVE-3": true},
    });
    let module = format!("package gate\n{rules}");
    let expected = Denial { id: "CVE-1".to_owned(), message: "one: CVE-1 found high".to_owned() };
    assert_eq!(denials(&module, &input), Ok(vec![expected]));
}

#[test]
fn what_is_no_clear_answer_is_an_error() {
    for (rules, expected) in [
        ("deny := [\"x\"] if input.n > 3", "deny is undefined"),
        ("deny := true", "deny is something else"),
        ("deny.x := 1", "a rule with the name deny"),
        ("deny := [x | some x in input.n] if true", "a comprehension in the body"),
        ("deny contains 1 if true", "a list with another element"),
        ("deny contains \" \" if true", "a list with another element"),
        ("deny contains {\"id\": \"x\"} if true", "a list with another element"),
        ("deny contains {\"msg\": \"x\", \"id\": 1} if true", "a list with another element"),
        ("deny contains \"x\" if to_number(input.text) > 1", "could not parse string as number"),
        ("deny contains \"x\" if not to_number(input.text)", "could not parse string as number"),
        ("deny contains \"x\" if 1 / (input.n - 3) > 1", "divi"),
        ("deny := [\"x\"]\ndeny := [\"y\"]", "conflict"),
        (
            "deny contains sprintf(\"%d\", [x]) if some x in numbers.range(1, 2000)",
            "more than 1000 denials",
        ),
    ] {
        let input = json!({"n": 3, "text": "abc"});
        let found = ids(rules, &input).map_err(|error| error.to_string());
        assert!(found.as_ref().is_err_and(|found| found.contains(expected)), "{rules}: {found:?}");
    }
}

#[test]
fn what_would_take_for_ever_or_all_memory_ends_as_an_error() {
    let doubling = |first: &str, next: fn(usize) -> String| {
        let rules: String = (1..100).map(|at| format!("{}\n", next(at))).collect();
        format!("x0 := {first}\n{rules}deny contains \"x\" if x99 == 1\n")
    };
    let steps = EvaluationError::Exceeded(Exceeded::Steps);
    let depth = EvaluationError::Exceeded(Exceeded::Depth);
    let all = "numbers.range(1, 10000)";
    for (name, rules, expected) in [
        ("loops", format!("deny contains \"x\" if {{ some a in {all}; some b in {all}; a + b < 0 }}"), &steps),
        ("product", format!("x := [[a, b] | some a in {all}; some b in {all}]\ndeny contains \"x\" if count(x) < 0"), &steps),
        ("objects", format!("x[a] := {all} if some a in {all}\ndeny contains \"x\" if count(x) < 0"), &steps),
        ("range", "deny contains \"x\" if count(numbers.range(1, 1000000000)) > 0".to_owned(), &steps),
        ("concat", doubling("\"aaaaaaaa\"", |n| format!("x{n} := concat(\"\", [x{0}, x{0}])", n - 1)), &steps),
        ("sprintf", doubling("\"aaaaaaaa\"", |n| format!("x{n} := sprintf(\"%s%s\", [x{0}, x{0}])", n - 1)), &steps),
        ("replace", doubling("\"aaaaaaaa\"", |n| format!("x{n} := replace(x{0}, \"a\", x{0})", n - 1)), &steps),
        ("array.concat", doubling("[1]", |n| format!("x{n} := array.concat(x{0}, x{0})", n - 1)), &steps),
        ("sharing", doubling("[1]", |n| format!("x{n} := [x{0}, x{0}]", n - 1)), &steps),
        ("sharing objects", doubling("[1]", |n| format!("x{n} := {{\"a\": x{0}, \"b\": x{0}, \"c\": x{0}, \"d\": x{0}}}", n - 1)), &steps),
        ("sharing by comprehension", doubling("[1]", |n| format!("x{n} := [x{0} | some _ in numbers.range(1, 100)]", n - 1)), &steps),
        ("sharing by partial objects", doubling("[1]", |n| format!("x{n}[a] := x{0} if some a in [1, 2, 3, 4]", n - 1)), &steps),
        ("nesting", doubling("[1]", |n| format!("x{n} := [x{}]", n - 1)), &depth),
        ("recursion", "f(x) := f(x + 1)\ndeny contains \"x\" if f(1)".to_owned(), &depth),
        ("recursion of two", "f(x) := [g(x)]\ng(x) := [f(x)]\ndeny contains \"x\" if f(1)".to_owned(), &depth),
        ("many", "f(x) := x + 1\ng(x) := f(f(f(f(f(f(f(f(f(f(x))))))))))\nh(x) := g(g(g(g(g(g(g(g(g(g(x))))))))))\ni(x) := h(h(h(h(h(h(h(h(h(h(x))))))))))\nj(x) := i(i(i(i(i(i(i(i(i(i(x))))))))))\nk(x) := j(j(j(j(j(j(j(j(j(j(x))))))))))\ndeny contains \"x\" if k(1) < 0".to_owned(), &steps),
        ("regex", format!("deny contains \"x\" if {{ some _ in {all}; not regex.match(`(a|aa|a*)*b`, concat(\"\", [\"a\" | some _ in {all}])) ; 1 == 2}}"), &steps),
    ] {
        let began = std::time::Instant::now();
        let found = ids(&rules, &json!({}));
        eprintln!("{name}: {:?} in {:?}", found.as_ref().err(), began.elapsed());
        let ended = found.as_ref().err();
        assert!(ended == Some(&steps) || ended == Some(&depth), "{name}: {found:?}");
        assert_eq!(ended, Some(expected), "{name}");
    }
}

#[test]
fn what_a_module_may_not_say_is_refused_where_it_stands() {
    let deny = "deny contains \"x\" if true";
    for (rules, expected) in [
        ("x := input.a | input.b", "line 2: expected the functions union and intersection"),
        ("x := input.a & input.b", "line 2: expected the functions union and intersection"),
        ("x := input.a - input.b", "line 2: expected a number on one side of -"),
        ("x := input.a * input.b", "line 2: expected a number that is written out"),
        ("x if input.a = 1", "line 2: expected := to name a value, or =="),
        ("x if input.a with input as 1", "line 2: expected no `with`"),
        ("x := 123456789012345678901", "line 2: expected a number of at most 20 characters"),
        ("import data.other\n", "line 2: expected no import but of"),
        ("x := count(input.a, 1)", "line 2: expected 1 arguments of count, found 2"),
        ("x := count()", "line 2: expected 1 arguments of count, found 0"),
        ("x := walk(input)", "line 2: expected a function of the module"),
        ("x := print(input)", "line 2: expected a function of the module"),
        ("x := trace(\"x\")", "line 2: expected a function of the module"),
        ("x := http.send({})", "line 2: expected a function of the module"),
        ("x := opa.runtime()", "line 2: expected a function of the module"),
        ("x := rand.intn(\"x\", 3)", "line 2: expected a function of the module"),
        ("x := uuid.rfc4122(\"x\")", "line 2: expected a function of the module"),
        ("x := bits.lsh(1, 1000000000)", "line 2: expected a function of the module"),
        ("x := units.parse(\"1E\")", "line 2: expected a function of the module"),
        ("x := json.unmarshal(\"1\")", "line 2: expected a function of the module"),
        ("x := attestry.weighed(1)", "line 2: expected a function of the module"),
        ("x := [f | some f in [[time.now_ns()]]]", "line 2: expected a function of the module"),
        ("f(x) := y if {\n  y := {\"a\": time.now_ns()}\n}", "line 3: expected a function of the"),
        ("x := 1 if false\nelse := time.now_ns()", "line 3: expected a function of the module"),
        ("x if every a in [time.now_ns()] { a > 1 }", "line 2: expected a function of the module"),
        ("x := [1 | true] if true", "line 2: expected a comprehension in the body"),
        ("x contains count([1 | true]) if true", "line 2: expected a comprehension in the body"),
        ("x := 1 if false\nelse := {1 | true}", "line 3: expected a comprehension in the body"),
        ("x[time.now_ns()] := 1", "line 2: expected a function of the module"),
    ] {
        let found = refusal(&format!("package gate\n{rules}\n{deny}\n"));
        assert!(found.contains(expected), "{rules}: {found}");
    }
    assert_eq!(refusal(&format!("package gate\n{deny}\n")), "accepted");
    let long = format!("package gate\n{deny}\n# {}\n", "x".repeat(MAX_MODULE_BYTES));
    assert!(refusal(&long).contains("a module of at most 65536 bytes"));
    let wide = format!("package gate\n{deny}\n# {}\n", "x".repeat(MAX_LINE_CHARS));
    assert!(refusal(&wide).contains("lines of at most 1024 characters"));
    let many = "x := 1\n".repeat(MAX_RULES);
    assert!(refusal(&format!("package gate\n{deny}\n{many}")).contains("at most 500 rules"));
    let deep = format!("package gate\n{deny}\nx := {}1{}\n", "[".repeat(5_000), "]".repeat(5_000));
    assert!(refusal(&deep).starts_with("line"), "{}", refusal(&deep));
}

#[test]
fn an_input_that_is_too_large_is_an_error() {
    let input = json!({"text": "x".repeat(MAX_INPUT_BYTES)});
    assert_eq!(ids("deny := []", &input), Err(EvaluationError::Input));
}

#[test]
fn what_is_weighed_means_the_same_however_it_is_written() {
    for (rules, expected) in [
        (
            "x := {  # { a comment\n \"a\": input.n }\ndeny contains \"x\" if x.a == 3",
            &["refused"][..],
        ),
        (
            "x := {\n  \"a\": input.n, `b`: {\"c\": [input.n]} }\ndeny contains \"x\" if x.b.c == [3]",
            &["x"],
        ),
        ("x := { {\"k\": input.n}: 1 }\ndeny contains \"x\" if x[{\"k\": 3}] == 1", &["x"]),
        (
            "x[n] := ((n + 1) * 2) if some n in [1, input.n]\ndeny contains \"x\" if x[3] == 8",
            &["x"],
        ),
        ("x contains (n + 1) if some n in [input.n]\ndeny contains \"x\" if 4 in x", &["x"]),
        (
            "x contains n if some n, _ in input\ndeny contains \"x\" if {\"n\", \"text\"} == {y | some y in x; count(y) != 9}",
            &["x"],
        ),
        (
            "deny contains sprintf(\"é %s ü\", [[input.n, \"ö\"][1]]) if [a, [b]] := [input.n, [input.n]]",
            &["é ö ü"],
        ),
        ("deny contains \"x\" if {\"n\": 3, \"m\": m} := {\"n\": input.n, \"m\": 4}", &["x"]),
        (
            "x := y if { input.n > 3; y := [1] } else := {\"a\": input.n}\ndeny contains \"x\" if x.a == 3",
            &["x"],
        ),
        (
            "f(a, {\"b\": b}) := {a: [b]}\ndeny contains \"x\" if f(\"k\", {\"b\": input.n}).k[0] == 3",
            &["x"],
        ),
    ] {
        let found = match ids(rules, &json!({"n": 3, "text": "abc"})) {
            Err(EvaluationError::Module(_)) => vec!["refused".to_owned()],
            found => found.unwrap_or_else(|error| vec![error.to_string()]),
        };
        assert_eq!(found, expected, "{rules}");
    }
}

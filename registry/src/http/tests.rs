use super::*;

#[test]
fn the_description_that_is_served_is_the_one_of_the_code() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let built = format!("{:#}\n", openapi::build());
    if std::env::var_os("ATTESTRY_REGENERATE").is_some() {
        std::fs::write(&path, &built).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    assert!(
        kept == built,
        "registry/openapi.json differs from the code; run ATTESTRY_REGENERATE=1 cargo test --release -p attestry-registry the_description"
    );
}

#[test]
fn every_route_is_described_on_its_own() {
    let document = openapi::build();
    let mut summaries = std::collections::BTreeSet::new();
    for route in routes::ROUTES {
        let path = route.path.replace("{path:.*}", "{path}");
        let operation = &document["paths"][path][route.method.to_lowercase()];
        let summary = operation["summary"].as_str().unwrap();
        assert!(
            operation["responses"].as_object().is_some_and(|r| !r.is_empty()),
            "{}",
            route.path
        );
        if route.method != "HEAD" {
            assert!(summaries.insert(summary.to_owned()), "{} {summary}", route.path);
        }
    }
}

use super::*;
use crate::clock::Clock;
use crate::config::Settings;
use crate::testing;

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
        let path = routes::described(route.path);
        let operation = &document["paths"][&path][route.method.to_lowercase()];
        let summary = operation["summary"].as_str().unwrap();
        assert!(
            operation["responses"].as_object().is_some_and(|r| !r.is_empty()),
            "{}",
            route.path
        );
        if route.method == "HEAD" {
            assert_eq!(document["paths"][&path]["get"]["summary"], summary);
        } else {
            assert!(summaries.insert(summary.to_owned()), "{} {summary}", route.path);
        }
    }
}

#[test]
fn every_get_is_a_head_too() {
    let has = |method: &str, path: &str| {
        routes::ROUTES.iter().any(|route| (route.method, route.path) == (method, path))
    };
    for route in routes::ROUTES {
        assert_eq!(has("GET", route.path), has("HEAD", route.path), "{}", route.path);
    }
}

#[test]
fn a_taken_port_is_named_with_what_to_do() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let registry = testing::Registry::new();
    let settings = Settings { listen: Some(address), ..Settings::default() };
    let config = Config::load(registry.path(), None, settings).unwrap();
    let metrics = Arc::new(Metrics::new());
    let running = Running::start(&registry.folder(), config, Clock::system(), metrics).unwrap();
    let refused = serve(&running).unwrap_err();
    assert!(matches!(refused, ServeError::Taken { .. }), "{refused}");
    assert!(refused.to_string().contains(&address.to_string()), "{refused}");
}

mod access;
mod admission;
mod certified;
mod conformance;
mod cosign;
mod gate;
mod guard;
mod oci;
mod schema;

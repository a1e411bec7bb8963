//! The holder of a client certificate, over a real connection.

use std::sync::Arc;

use actix_web::{App, HttpServer, middleware, web};
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig, TlsProvider};

use super::*;
use crate::clock::Clock;
use crate::config::Config;
use crate::http::tls::tests::{
    AUTHORITY, CLIENT, CLIENT_KEY, OTHER_AUTHORITY, RENEWED, RENEWED_KEY,
};
use crate::http::{State, operations, routes, tls, trace};
use crate::metrics::Metrics;
use crate::server::Running;

const DOCUMENT: &str = r#"
[[certificate]]
name = "deployer"
san = ["uri:spiffe://example.org/deployer"]

[[grant]]
to = ["mtls:deployer"]
roles = ["pull", "push"]
on = ["pay/**"]
"#;

/// Asks over a new connection, with a certificate or without, and gives the status.
fn status(url: &str, what: &str, own: bool) -> Result<u16, ureq::Error> {
    let certificate = |pem: &str| Certificate::from_pem(pem.as_bytes()).unwrap();
    let own = own.then(|| {
        let key = PrivateKey::from_pem(CLIENT_KEY.as_bytes()).unwrap();
        ClientCert::new_with_certs(&[certificate(CLIENT)], key)
    });
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .root_certs(RootCerts::new_with_certs(&[certificate(RENEWED)]))
        .client_cert(own)
        .build();
    let agent = ureq::Agent::config_builder()
        .tls_config(tls)
        .http_status_as_error(false)
        .proxy(None)
        .build()
        .new_agent();
    let (method, path) = what.split_once(' ').unwrap();
    let request = ureq::http::Request::builder().method(method).uri(format!("{url}{path}"));
    Ok(agent.run(request.body(())?)?.status().as_u16())
}

#[test]
fn the_holder_of_a_certificate_may_what_its_entry_is_granted_while_its_authority_stands() {
    let guarded = Guarded::new(DOCUMENT, &[]);
    for (name, text) in [("tls.crt", RENEWED), ("tls.key", RENEWED_KEY), ("ca.crt", AUTHORITY)] {
        std::fs::write(guarded.path(name), text).unwrap();
    }
    let settings = Settings {
        tls_certificate: Some(guarded.path("tls.crt")),
        tls_key: Some(guarded.path("tls.key")),
        tls_client_ca: Some(guarded.path("ca.crt")),
        ..Settings::default()
    };
    let config = Config::load(guarded.registry.path(), None, settings).unwrap();
    let files = config.tls.clone().unwrap();
    let (folder, metrics) = (guarded.registry.folder(), Arc::new(Metrics::new()));
    let mut running = Running::start(&folder, config, Clock::system(), metrics).unwrap();
    let state = Arc::new(State::of(&running));
    actix_web::rt::System::new().block_on(async {
        let server = HttpServer::new(move || {
            App::new()
                .app_data(web::Data::from(Arc::clone(&state)))
                .wrap(middleware::from_fn(trace::request))
                .configure(routes::configure)
                .default_service(web::to(operations::not_found))
        });
        let server = server.workers(1).on_connect(tls::note_client).disable_signals();
        let server = server.bind_rustls_0_23(("127.0.0.1", 0), tls::server_config(&files).unwrap());
        let server = server.unwrap();
        let url = format!("https://{}", server.addrs()[0]);
        let server = server.run();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        let cases = move || {
            let upload = "POST /v2/pay/api/blobs/uploads/";
            assert_eq!(status(&url, upload, true).unwrap(), 202);
            assert_eq!(status(&url, "POST /v2/ads/web/blobs/uploads/", true).unwrap(), 403);
            assert_eq!(status(&url, upload, false).unwrap(), 401, "no certificate is no fault");
            guarded.document(
                &DOCUMENT.replace("deployer\"]", "other\"]").replace("mtls:other", "mtls:deployer"),
            );
            assert_eq!(status(&url, upload, true).unwrap(), 401, "no entry is its");
            guarded.document(DOCUMENT);
            assert_eq!(status(&url, upload, true).unwrap(), 202);
            std::fs::write(guarded.path("ca.crt"), OTHER_AUTHORITY).unwrap();
            assert!(status(&url, upload, true).is_err(), "another authority's is not let in");
            // Its folder stays until the server has stopped.
            guarded
        };
        let _guarded = web::block(cases).await.unwrap();
        handle.stop(true).await;
        running.stop();
    });
}

//! The table of routes.

use actix_web::web::{self, ServiceConfig};

use super::{
    admission, attestations, content, decisions, deployments, governance, log, operations, rekor,
};

/// A route as the description sees it.
pub(super) struct Route {
    /// The method, in capitals.
    pub(super) method: &'static str,
    /// The path, with parameters in braces.
    pub(super) path: &'static str,
}

macro_rules! routes {
    ($($path:literal { $($method:ident => $handler:path),+ $(,)? })+) => {
        /// Every route, in the order of the table.
        pub(super) const ROUTES: &[Route] =
            &[$($(Route { method: stringify!($method), path: $path }),+),+];

        /// Adds every route to the server; the body of an answer to HEAD is not sent, another method on a known path is answered 405.
        pub(super) fn configure(config: &mut ServiceConfig) {
            $(config.service(
                web::resource($path)
                    $(.route(web::method(actix_web::http::Method::$method).to($handler)))+
                    .default_service(web::to(operations::method_not_allowed)),
            );)+
        }
    };
}

routes! {
    "/v1/attestations" {
        GET => attestations::list, HEAD => attestations::list, POST => attestations::submit
    }
    "/v1/attestations/{digest}" { GET => attestations::exact, HEAD => attestations::exact }
    "/v1/attestations/{digest}/bundle" {
        GET => attestations::bundle, HEAD => attestations::bundle
    }
    "/v1/content/{digest}" { GET => content::get, HEAD => content::get, PUT => content::put }
    "/v1/log/inclusion" { GET => log::inclusion, HEAD => log::inclusion }
    "/v1/log/consistency" { GET => log::consistency, HEAD => log::consistency }
    "/v1/roster" { GET => governance::roster, HEAD => governance::roster }
    "/v1/policies" { GET => governance::policies, HEAD => governance::policies }
    "/v1/policies/{name}" { GET => governance::policy, HEAD => governance::policy }
    "/v1/decisions" { POST => decisions::decide }
    "/v1/decisions/{digest}/replay" { POST => decisions::replay }
    "/v1/replays" { POST => decisions::what_if }
    "/v1/packs" { GET => decisions::pack, HEAD => decisions::pack }
    "/v1/deployments" { GET => deployments::list, HEAD => deployments::list }
    "/v1/metrics/delivery" { GET => deployments::numbers, HEAD => deployments::numbers }
    "/v1/trusted-root" { GET => log::trusted_root, HEAD => log::trusted_root }
    "/v1/signing-config" { GET => log::signing_config, HEAD => log::signing_config }
    "/api/v2/checkpoint" { GET => rekor::checkpoint, HEAD => rekor::checkpoint }
    "/api/v2/tile/{path:.*}" { GET => rekor::tile, HEAD => rekor::tile }
    "/api/v2/log/entries" { POST => rekor::submit }
    "/k8s/admission" { POST => admission::review }
    "/k8s/admission/{path:.*}" { POST => admission::review }
    "/healthz" { GET => operations::healthy, HEAD => operations::healthy }
    "/readyz" { GET => operations::ready, HEAD => operations::ready }
    "/metrics" { GET => operations::metrics, HEAD => operations::metrics }
    "/openapi.json" { GET => operations::openapi, HEAD => operations::openapi }
}

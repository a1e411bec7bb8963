//! The table of routes.

use actix_web::web::{self, ServiceConfig};

use super::{
    admission, attestations, audit, content, decisions, deployments, digests, governance, log, oci,
    operations, rekor,
};

/// A route as the description sees it.
pub(super) struct Route {
    /// The method, in capitals.
    pub(super) method: &'static str,
    /// The path, with parameters in braces.
    pub(super) path: &'static str,
}

/// A path as the description writes it: a parameter has a name there and no pattern.
pub(super) fn described(path: &str) -> String {
    path.replace(":.*}", "}").replace(":.+}", "}")
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
    "/v1/digests/{start}" { GET => digests::beginning, HEAD => digests::beginning }
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
    "/v1/audit/access" { GET => audit::access, HEAD => audit::access }
    "/v1/trusted-root" { GET => log::trusted_root, HEAD => log::trusted_root }
    "/v1/signing-config" { GET => log::signing_config, HEAD => log::signing_config }
    "/api/v2/checkpoint" { GET => rekor::checkpoint, HEAD => rekor::checkpoint }
    "/api/v2/tile/{path:.*}" { GET => rekor::tile, HEAD => rekor::tile }
    "/api/v2/log/entries" { POST => rekor::submit }
    "/v2/" { GET => oci::base, HEAD => oci::base }
    "/v2/token" { GET => oci::token::get, HEAD => oci::token::get, POST => oci::token::post }
    "/v2/_catalog" { GET => oci::tags::catalog, HEAD => oci::tags::catalog }
    "/v2/{name:.+}/blobs/uploads/" { POST => oci::uploads::begin }
    "/v2/{name:.+}/blobs/uploads/{session}" {
        GET => oci::uploads::status, HEAD => oci::uploads::status, PATCH => oci::uploads::append,
        PUT => oci::uploads::end, DELETE => oci::uploads::cancel
    }
    "/v2/{name:.+}/blobs/{digest}" {
        GET => oci::blobs::get, HEAD => oci::blobs::get, DELETE => oci::blobs::delete
    }
    "/v2/{name:.+}/manifests/{reference}" {
        GET => oci::manifests::get, HEAD => oci::manifests::get, PUT => oci::manifests::put,
        DELETE => oci::manifests::delete
    }
    "/v2/{name:.+}/tags/list" { GET => oci::tags::list, HEAD => oci::tags::list }
    "/v2/{name:.+}/referrers/{digest}" {
        GET => oci::referrers::list, HEAD => oci::referrers::list
    }
    "/v2/{name:.+}/_oci/tag-history/{tag}" {
        GET => oci::tags::history, HEAD => oci::tags::history
    }
    "/v1/repositories/{name:.+}/evidence/{digest}" {
        GET => oci::arrival::list, HEAD => oci::arrival::list
    }
    "/k8s/admission" { POST => admission::review }
    "/k8s/admission/{path:.*}" { POST => admission::review }
    "/healthz" { GET => operations::healthy, HEAD => operations::healthy }
    "/readyz" { GET => operations::ready, HEAD => operations::ready }
    "/metrics" { GET => operations::metrics, HEAD => operations::metrics }
    "/openapi.json" { GET => operations::openapi, HEAD => operations::openapi }
}

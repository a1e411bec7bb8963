//! What a check is about, in few words for all tools.
//!
//! | category | what is checked |
//! |---|---|
//! | `exposed-services` | what can be reached from outside |
//! | `permissions` | what a process, a role or a user may do |
//! | `secrets` | where credentials lie |
//! | `encryption` | data and connections, and their keys |
//! | `images` | where containers come from |
//! | `network` | who may talk to whom |
//! | `resources` | limits of CPU, memory and the like |
//! | `availability` | that it keeps running, and comes back |
//! | `logging` | that it is seen what happens |
//! | `configuration` | everything else |
//!
//! A check has no such word in any tool's report. It is found by the tool's own id where a title
//! misleads, else by words of the title, else by the tool's own category.

/// Checks whose titles name something else than what they are about.
static BY_ID: &[(&str, &str)] = &[
    ("C-0021", "exposed-services"),
    ("C-0256", "exposed-services"),
    ("C-0059", "configuration"),
    ("C-0066", "encryption"),
    ("CKV_AWS_79", "permissions"),
    ("KSV-0117", "permissions"),
    ("KSV117", "permissions"),
];

/// Words of titles, in lower case, with a space where a word begins or ends; the first that is there.
static BY_TITLE: &[(&str, &[&str])] = &[
    ("permissions", &["service account", "serviceaccount"]),
    (
        "encryption",
        &[
            "encrypt",
            " kms ",
            " tls ",
            " ssl ",
            " https ",
            " cmk ",
            "cipher",
            "certificate",
            "in transit",
            "at rest",
            "key rotation",
            "rotate",
            "managed key",
        ],
    ),
    (
        "logging",
        &[
            " log ", " logs ", "logging", "monitor", " audit", "tracing", "trail", "insights",
            " metrics", "alert",
        ],
    ),
    (
        "secrets",
        &[
            " secret",
            "credential",
            "password",
            "hard coded",
            "hardcoded",
            "api key",
            "access key",
            " token",
            "sensitive",
        ],
    ),
    (
        "exposed-services",
        &[
            "public",
            " 0 0 0 0 ",
            "internet",
            "expos",
            "load balancer",
            "loadbalancer",
            "node port",
            "nodeport",
            "host port",
            "hostport",
            "dashboard",
            "anonymous",
            "unauthenticated",
            " ssh ",
            " rdp ",
            " port 22 ",
            " port 3389 ",
            "external ip",
            "externally",
            "open to",
            "unrestricted",
            " cors ",
        ],
    ),
    (
        "permissions",
        &[
            "privileg",
            " root",
            "capabilit",
            " rbac",
            " role",
            "cluster admin",
            " iam ",
            "wildcard",
            " admin",
            "seccomp",
            "app armor",
            "apparmor",
            "se linux",
            "selinux",
            " uid ",
            " gid ",
            " user ",
            " host pid",
            " hostpid",
            " host ipc",
            " hostipc",
            "host process",
            "proc mount",
            "host path",
            "hostpath",
            "read only",
            "readonly",
            "immutable",
            "escalat",
            "run as",
            " sudo ",
            "sysctl",
            "docker socket",
            "docker sock",
            "security context",
            "hardening",
            "access control",
            "permission",
            "authoriz",
            "authenticat",
            "principal",
            "exec into",
            " mfa ",
            "elevate",
        ],
    ),
    (
        "availability",
        &[
            "replica",
            "probe",
            "liveness",
            "readiness",
            "health",
            "backup",
            "multi az",
            "deletion protection",
            "recover",
            "soft delete",
            "purge protection",
            "redundan",
            "disruption budget",
            " pdb ",
            "affinity",
            "priority class",
            "topology",
            "versioning",
            "failover",
            "auto scal",
            "autoscal",
            "availab",
            "snapshot",
            "retention",
        ],
    ),
    (
        "images",
        &[
            " image",
            " tag ",
            " latest ",
            "registry",
            "registries",
            "pull policy",
            "supply chain",
            "dockerfile",
            "apt get",
            " apk ",
            " pip ",
        ],
    ),
    (
        "resources",
        &[
            " cpu ",
            "memory",
            " limit",
            " request",
            "quota",
            "resource limit",
            "resource request",
            "resource polic",
        ],
    ),
    (
        "network",
        &[
            "network",
            "security group",
            "firewall",
            " vpc ",
            "subnet",
            " port ",
            " ports ",
            " dns ",
            "egress",
            "ingress",
            " nsg ",
            "cidr",
        ],
    ),
];

/// The tools' own categories, in lower case.
static BY_CATEGORY: &[(&str, &str)] = &[
    ("public", "exposed-services"),
    ("access control", "permissions"),
    ("iam", "permissions"),
    ("identity and access management", "permissions"),
    ("node escape", "permissions"),
    ("secrets", "secrets"),
    ("secret management", "secrets"),
    ("encryption", "encryption"),
    ("encryption and key management", "encryption"),
    ("data protection", "encryption"),
    ("images", "images"),
    ("supply chain", "images"),
    ("supply-chain", "images"),
    ("build process", "images"),
    ("network", "network"),
    ("networking", "network"),
    ("networking and firewall", "network"),
    ("infrastructure security", "network"),
    ("resources", "resources"),
    ("resource management", "resources"),
    ("efficiency", "resources"),
    ("health checks", "availability"),
    ("reliability", "availability"),
    ("availability", "availability"),
    ("backup", "availability"),
    ("resilience", "availability"),
    ("logging", "logging"),
    ("monitoring", "logging"),
    ("logging and monitoring", "logging"),
    ("observability", "logging"),
];

/// The category of a check: its id, its title, and the tool's own categories, the most exact first.
pub(super) fn category<'t>(
    id: &str,
    title: &str,
    own: impl IntoIterator<Item = &'t str>,
) -> String {
    let by_id = BY_ID.iter().find(|(known, _)| *known == id).map(|(_, category)| *category);
    let words = words(title);
    let by_title = || {
        let has = |texts: &[&str]| texts.iter().any(|text| words.contains(text));
        BY_TITLE.iter().find(|(_, texts)| has(texts)).map(|(category, _)| *category)
    };
    let by_own = || {
        own.into_iter().find_map(|own| {
            let own = own.trim().to_ascii_lowercase();
            BY_CATEGORY.iter().find(|(known, _)| *known == own).map(|(_, category)| *category)
        })
    };
    by_id.or_else(by_title).or_else(by_own).unwrap_or("configuration").to_owned()
}

/// The words of a text in lower case, a space before and after each: `runAsRootAllowed` and
/// `run-as root, allowed` are ` run as root allowed `.
fn words(text: &str) -> String {
    let mut words = String::from(" ");
    let mut before: Option<char> = None;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if !character.is_alphanumeric() {
            before = None;
            if !words.ends_with(' ') {
                words.push(' ');
            }
            continue;
        }
        let below = before.is_some_and(char::is_lowercase);
        let acronym_ends = before.is_some_and(char::is_uppercase)
            && characters.peek().is_some_and(|next| next.is_lowercase());
        if character.is_uppercase() && (below || acronym_ends) {
            words.push(' ');
        }
        words.extend(character.to_lowercase());
        before = Some(character);
    }
    if !words.ends_with(' ') {
        words.push(' ');
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_words_wherever_they_are_written_together() {
        for (text, expected) in [
            ("runAsRootAllowed", " run as root allowed "),
            ("hostIPCSet", " host ipc set "),
            ("DNSPolicy", " dns policy "),
            ("0.0.0.0:0 to port 22", " 0 0 0 0 0 to port 22 "),
            ("", " "),
        ] {
            assert_eq!(words(text), expected);
        }
    }

    #[test]
    fn finds_what_checks_of_all_tools_are_about() {
        for (expected, checks) in [
            (
                "exposed-services",
                &[
                    ("CKV_AWS_17", "Ensure all data stored in RDS is not publicly accessible", ""),
                    (
                        "CKV_AWS_24",
                        "Ensure no security groups allow ingress from 0.0.0.0:0 to port 22",
                        "",
                    ),
                    ("C-0014", "Access Kubernetes dashboard", "Access control"),
                    ("C-0021", "Sensitive interfaces", "Network"),
                    ("hostPortSet", "hostPortSet", "Security"),
                    ("C-0262", "Anonymous access enabled", "Control plane"),
                ][..],
            ),
            (
                "permissions",
                &[
                    ("automountServiceAccountToken", "automountServiceAccountToken", "Security"),
                    ("C-0016", "Allow privilege escalation", "Workload"),
                    ("DS-0002", "Image user should not be 'root'", ""),
                    ("KSV-0001", "Can elevate its own privileges", ""),
                    ("KSV-0014", "Root file system is not read-only", ""),
                    ("KSV-0020", "Runs with UID <= 10000", ""),
                    ("C-0007", "Data Destruction", "Access control"),
                    ("CKV_DOCKER_3", "Ensure that a user for the container has been created", ""),
                ],
            ),
            (
                "secrets",
                &[
                    ("CKV_AWS_46", "Ensure no hard-coded secrets exist in EC2 user data", ""),
                    ("C-0012", "Applications credentials in configuration files", "Secrets"),
                    ("sensitiveContainerEnvVar", "sensitiveContainerEnvVar", "Security"),
                ],
            ),
            (
                "encryption",
                &[
                    (
                        "CKV_AWS_16",
                        "Ensure all data stored in the RDS is securely encrypted at rest",
                        "",
                    ),
                    ("x", "Ensure CloudWatch log group is encrypted by KMS", ""),
                    ("x", "Ingress without TLS", ""),
                ],
            ),
            (
                "images",
                &[
                    ("CKV_DOCKER_7", "Ensure the base image uses a non latest version tag", ""),
                    ("tagNotSpecified", "tagNotSpecified", "Reliability"),
                    ("x", "Untrusted", "Supply chain"),
                ],
            ),
            (
                "network",
                &[
                    ("C-0030", "Ingress and Egress blocked", "Network"),
                    ("missingNetworkPolicy", "missingNetworkPolicy", "Security"),
                    ("CKV_AWS_23", "Ensure every security groups rule has a description", ""),
                    ("x", "Spoofing", "Networking and Firewall"),
                ],
            ),
            (
                "resources",
                &[
                    ("cpuLimitsMissing", "cpuLimitsMissing", "Efficiency"),
                    ("KSV-0018", "Memory not limited", ""),
                    ("C-0009", "Resource limits", "Workload"),
                ],
            ),
            (
                "availability",
                &[
                    ("deploymentMissingReplicas", "deploymentMissingReplicas", "Reliability"),
                    (
                        "CKV_DOCKER_2",
                        "Ensure that HEALTHCHECK instructions have been added to container images",
                        "",
                    ),
                    ("CKV_AZURE_41", "Ensure the key vault is recoverable", ""),
                    ("container-probes", "Readiness and liveness probes should differ", ""),
                ],
            ),
            (
                "logging",
                &[
                    ("CKV_GCP_62", "Bucket should log access", "Storage"),
                    (
                        "CKV_AWS_118",
                        "Ensure that enhanced monitoring is enabled for Amazon RDS instances",
                        "",
                    ),
                    ("C-0067", "Audit logs enabled", ""),
                ],
            ),
            (
                "configuration",
                &[
                    ("CKV_AWS_135", "Ensure that EC2 is EBS optimized", ""),
                    ("C-0068", "PSP enabled", "Control plane"),
                    ("x", "Ensure catalogue portal is up", ""),
                    ("", "", ""),
                ],
            ),
        ] {
            for (id, title, own) in checks {
                assert_eq!(category(id, title, [*own]), expected, "{id} {title}");
            }
        }
    }
}

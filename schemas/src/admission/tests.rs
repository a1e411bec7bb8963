//! What a review asks about, case by case.

use serde_json::{Value, json};

use super::*;
use crate::digest::Sha256;

fn image(name: &str) -> String {
    format!("registry.example.com/pay/{name}:v1@{}", Sha256::of(name.as_bytes()))
}

fn name(image: &str) -> String {
    format!("registry.example.com/pay/{image}@{}", Sha256::of(image.as_bytes()))
}

/// A PodSpec of containers with these images.
fn spec(images: &[&str]) -> Value {
    let containers = images.iter().map(|name| json!({"name": name, "image": image(name)}));
    json!({"containers": containers.collect::<Vec<_>>()})
}

fn pod(images: &[&str]) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec(images)})
}

fn deployment(replicas: u64, images: &[&str]) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d"},
        "spec": {"replicas": replicas, "template": {"spec": spec(images)}},
    })
}

/// A review of an object, which says itself what it is.
fn review(operation: &str, object: &Value, old: &Value) -> Value {
    let what = if object.is_null() { old } else { object };
    let version = what["apiVersion"].as_str().unwrap_or("v1");
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": {"group": group, "version": version, "kind": what["kind"]},
            "resource": {"group": group, "version": version, "resource": "x"},
            "operation": operation,
            "userInfo": {"username": "alice", "groups": ["system:authenticated"]},
            "object": object,
            "oldObject": old,
            "options": {"a member": "of tomorrow"},
        },
    })
}

fn read(review: &Value) -> Review {
    Review::parse(review.to_string().as_bytes()).unwrap()
}

/// The images that are asked about, or the reasons of a refusal.
fn asks(operation: &str, object: &Value, old: &Value) -> Result<Vec<String>, String> {
    let demand = Demand::of(&read(&review(operation, object, old)));
    if demand.undecidable.is_empty() {
        return Ok(demand.images.iter().map(|asked| asked.image.to_string()).collect());
    }
    let told: Vec<String> = demand.undecidable.into_iter().map(|one| one.reason).collect();
    Err(told.join("\n"))
}

fn created(object: &Value) -> Result<Vec<String>, String> {
    asks("CREATE", object, &Value::Null)
}

fn updated(object: &Value, old: &Value) -> Result<Vec<String>, String> {
    asks("UPDATE", object, old)
}

fn names(images: &[&str]) -> Result<Vec<String>, String> {
    Ok(images.iter().map(|image| name(image)).collect())
}

#[test]
fn every_workload_kind_is_asked_about() {
    let template = |spec: &Value| json!({"template": {"spec": spec}});
    let spec = spec(&["api"]);
    for (version, kind, body) in [
        ("v1", "Pod", json!({"spec": spec})),
        ("v1", "PodTemplate", template(&spec)),
        ("v1", "ReplicationController", json!({"spec": template(&spec)})),
        ("apps/v1", "ReplicaSet", json!({"spec": template(&spec)})),
        ("apps/v1", "Deployment", json!({"spec": template(&spec)})),
        ("extensions/v1beta1", "Deployment", json!({"spec": template(&spec)})),
        ("apps/v1", "StatefulSet", json!({"spec": template(&spec)})),
        ("apps/v1", "DaemonSet", json!({"spec": template(&spec)})),
        ("batch/v1", "Job", json!({"spec": template(&spec)})),
        ("batch/v1", "CronJob", json!({"spec": {"jobTemplate": {"spec": template(&spec)}}})),
    ] {
        let mut object = body;
        object["apiVersion"] = json!(version);
        object["kind"] = json!(kind);
        assert_eq!(created(&object), names(&["api"]), "{kind}");
        // A kind that is understood, and does not read, is refused.
        object.as_object_mut().unwrap().retain(|name, _| name != "spec" && name != "template");
        assert!(created(&object).unwrap_err().contains("expected"), "{kind}");
    }
}

#[test]
fn every_container_kind_is_asked_about() {
    let object = json!({"apiVersion": "v1", "kind": "Pod", "spec": {
        "containers": [{"name": "a", "image": image("container")}],
        "initContainers": [{"name": "b", "image": image("init"), "restartPolicy": "Always"}],
        "ephemeralContainers": [{"name": "c", "image": image("debug"), "targetContainerName": "a"}],
        "volumes": [
            {"name": "d", "image": {"reference": image("volume"), "pullPolicy": "Always"}},
            {"name": "e", "emptyDir": {}},
            {"name": "f", "image": null},
        ],
    }});
    let demand = Demand::of(&read(&review("CREATE", &object, &Value::Null)));
    let places: Vec<_> = demand.images.iter().flat_map(|asked| asked.places.clone()).collect();
    assert_eq!(
        places,
        ["container a", "ephemeral container c", "init container b", "image volume d"]
    );
    for list in ["containers", "initContainers", "ephemeralContainers", "volumes"] {
        let mut odd = object.clone();
        odd["spec"][list] = json!({"image": "nginx"});
        assert!(created(&odd).unwrap_err().contains(list), "{list}");
        odd["spec"][list] = json!([7]);
        assert!(created(&odd).unwrap_err().contains(list), "{list}");
    }
}

#[test]
fn an_image_without_a_digest_is_refused_with_image_and_container() {
    let digest = "0".repeat(128);
    for (reference, words) in [
        ("nginx:1.27".to_owned(), "tag"),
        (format!("nginx@sha512:{digest}"), "sha256"),
        ("Not an image".to_owned(), "expected an image"),
    ] {
        let mut object = pod(&["api"]);
        object["spec"]["initContainers"] = json!([{"name": "seed", "image": reference}]);
        let told = created(&object).unwrap_err();
        let shown = &reference[..10];
        assert!(told.contains("init container seed") && told.contains(shown), "{told}");
        assert!(told.contains(words), "{told}");
    }
    for nothing in [json!(null), json!(""), json!(7), json!([])] {
        let mut object = pod(&["api"]);
        object["spec"]["containers"][0]["image"] = nothing;
        let told = created(&object).unwrap_err();
        assert!(told.contains("container api") && told.contains("containers[0]"), "{told}");
    }
}

#[test]
fn a_refusal_tells_every_reason_up_to_a_bound() {
    let containers = |count: usize| {
        let all = (0..count).map(|n| json!({"name": n.to_string(), "image": format!("a:{n}")}));
        json!({"kind": "Pod", "spec": {"containers": all.collect::<Vec<_>>()}})
    };
    let told = created(&containers(3)).unwrap_err();
    assert_eq!(told.lines().count(), 3, "{told}");
    let many = Demand::of(&read(&review("CREATE", &containers(100), &Value::Null)));
    assert_eq!(many.undecidable.len(), 100, "each is recorded");
    let answer = AdmissionReview::answering("u", &many, &[], &[]).response;
    let message = answer.status.unwrap().message;
    assert!(message.ends_with("and 90 more images that cannot be decided about"), "{message}");
    assert_eq!((message.lines().count(), answer.audit_annotations.len()), (12, 10));
    let too_many = created(&containers(workload::MAX_IMAGES + 1)).unwrap_err();
    assert_eq!(too_many, "expected at most 200 new images, found 201");
}

#[test]
fn what_was_there_already_may_stay_and_shrink_whatever_it_is() {
    let many = |count: usize| {
        let all =
            (0..count).map(|n| json!({"name": n.to_string(), "image": image(&n.to_string())}));
        json!({"kind": "Pod", "spec": {"containers": all.collect::<Vec<_>>()}})
    };
    assert_eq!(updated(&many(250), &many(250)), names(&[]));
    assert_eq!(updated(&many(201), &many(250)), names(&[]));
    assert!(updated(&many(250), &many(1)).unwrap_err().contains("found 249"));
    let mut unnamed = deployment(3, &["api"]);
    let spec = &mut unnamed["spec"]["template"]["spec"];
    spec["volumes"] = json!([{"name": "v", "image": {"pullPolicy": "Always"}}]);
    spec["containers"].as_array_mut().unwrap().push(json!({"name": "late"}));
    assert_eq!(updated(&unnamed, &unnamed), names(&[]));
    let told = updated(&unnamed, &deployment(3, &["api"])).unwrap_err();
    assert_eq!(told.lines().count(), 2, "{told}");
}

#[test]
fn identical_images_are_asked_about_once() {
    let mut object = pod(&["api", "api", "web"]);
    object["spec"]["initContainers"] =
        json!([{"name": "seed", "image": image("api").replace(":v1@", ":v2@")}]);
    let demand = Demand::of(&read(&review("CREATE", &object, &Value::Null)));
    assert_eq!(demand.images.len(), 2);
    assert_eq!(demand.images[0].places, ["container api", "container api", "init container seed"]);
}

#[test]
fn deletions_and_connections_pass() {
    for operation in ["DELETE", "CONNECT"] {
        assert_eq!(asks(operation, &Value::Null, &pod(&["api"])), names(&[]));
    }
    let exec = json!({"kind": "PodExecOptions", "command": ["sh"]});
    assert_eq!(asks("CONNECT", &exec, &Value::Null), names(&[]));
}

#[test]
fn an_update_that_does_not_change_the_images_passes() {
    let mut labelled = deployment(3, &["api", "web"]);
    labelled["metadata"]["labels"] = json!({"a": "b"});
    assert_eq!(updated(&labelled, &deployment(3, &["web", "api"])), names(&[]));
    // Not the tag beside a digest, nor the container that has it, makes another image.
    let mut moved = pod(&["api"]);
    moved["spec"]["initContainers"] =
        json!([{"name": "x", "image": image("web").replace(":v1", ":v2")}]);
    assert_eq!(updated(&moved, &pod(&["api", "web"])), names(&[]));
    // What runs by its tag already is not made worse by leaving it.
    let mut tagged = deployment(3, &["api"]);
    tagged["spec"]["template"]["spec"]["containers"][0]["image"] = json!("nginx:1.27");
    let mut scaled = tagged.clone();
    scaled["spec"]["replicas"] = json!(1);
    assert_eq!(updated(&scaled, &tagged), names(&[]));
}

#[test]
fn an_update_that_shrinks_the_images_passes() {
    assert_eq!(updated(&deployment(3, &["api"]), &deployment(3, &["api", "web"])), names(&[]));
}

#[test]
fn an_update_that_brings_an_image_is_asked_about_it_alone() {
    assert_eq!(updated(&deployment(3, &["api", "new"]), &deployment(3, &["api"])), names(&["new"]));
}

#[test]
fn a_scale_down_passes_and_one_that_swaps_an_image_does_not() {
    assert_eq!(updated(&deployment(1, &["api"]), &deployment(3, &["api"])), names(&[]));
    assert_eq!(updated(&deployment(1, &["other"]), &deployment(3, &["api"])), names(&["other"]));
    assert_eq!(updated(&deployment(0, &["other"]), &deployment(3, &["api"])), names(&["other"]));
    let mut tagged = deployment(1, &["api"]);
    tagged["spec"]["template"]["spec"]["containers"][0]["image"] = json!("nginx:1.27");
    assert!(updated(&tagged, &deployment(3, &["api"])).unwrap_err().contains("tag"));
    // The subresource carries no images: the Pods that it makes are asked about.
    let scale = json!({"apiVersion": "autoscaling/v1", "kind": "Scale", "spec": {"replicas": 1}});
    assert_eq!(updated(&scale, &scale), names(&[]));
}

#[test]
fn what_is_being_deleted_is_still_asked_about_new_images() {
    let deleted = |images: &[&str]| {
        let mut object = pod(images);
        object["metadata"]["deletionTimestamp"] = json!("2026-01-31T09:30:00Z");
        object["metadata"]["finalizers"] = json!(["example.org/hold"]);
        object
    };
    assert_eq!(updated(&deleted(&["other"]), &deleted(&["api"])), names(&["other"]));
    assert_eq!(updated(&deleted(&["api"]), &deleted(&["api"])), names(&[]));
}

#[test]
fn an_ephemeral_container_that_is_added_is_asked_about() {
    let mut debugged = pod(&["api"]);
    debugged["spec"]["ephemeralContainers"] = json!([{"name": "dbg", "image": image("debug")}]);
    assert_eq!(updated(&debugged, &pod(&["api"])), names(&["debug"]));
}

#[test]
fn an_update_whose_old_object_does_not_read_is_asked_about_everything() {
    for old in [json!(null), json!({"kind": "Deployment"}), json!({"spec": {"template": 7}})] {
        assert_eq!(updated(&deployment(3, &["api"]), &old), names(&["api"]), "{old}");
    }
}

#[test]
fn a_kind_that_is_not_known_passes_with_a_warning() {
    for (version, kind) in
        [("autoscaling/v1", "Scale"), ("example.org/v1", "Deployment"), ("v1", "Binding")]
    {
        let object = json!({"apiVersion": version, "kind": kind, "spec": {"x": 1}});
        let demand = Demand::of(&read(&review("CREATE", &object, &Value::Null)));
        assert!(demand.images.is_empty() && demand.warning.unwrap().contains(kind), "{kind}");
    }
}

#[test]
fn an_object_that_claims_to_be_another_kind_is_refused() {
    let mut review = review("CREATE", &pod(&["api"]), &Value::Null);
    review["request"]["kind"]["kind"] = json!("Scale");
    let refused = Review::parse(review.to_string().as_bytes()).unwrap_err();
    assert!(
        matches!(&refused, ReviewError::Request { uid, .. } if uid.starts_with("705ab4f5")),
        "{refused}"
    );
}

#[test]
fn a_review_that_cannot_be_answered_to_is_told_apart_from_one_that_can() {
    let good = review("CREATE", &pod(&["api"]), &Value::Null);
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut changed = good.clone();
        change(&mut changed);
        Review::parse(changed.to_string().as_bytes()).unwrap_err()
    };
    for change in [
        &|r: &mut Value| r["apiVersion"] = json!("admission.k8s.io/v1beta1"),
        &|r: &mut Value| r["kind"] = json!("ConversionReview"),
        &|r: &mut Value| r["request"] = json!([]),
        &|r: &mut Value| r["request"]["uid"] = json!(""),
        &|r: &mut Value| r["request"]["uid"] = json!(7),
    ] as [&dyn Fn(&mut Value); 5]
    {
        let refused = changed(change);
        assert!(matches!(refused, ReviewError::NotAReview { .. }), "{refused}");
    }
    for change in [
        &|r: &mut Value| r["request"]["operation"] = json!("PATCH"),
        &|r: &mut Value| r["request"]["dryRun"] = json!("false"),
        &|r: &mut Value| r["request"]["kind"] = json!({"group": ""}),
    ] as [&dyn Fn(&mut Value); 3]
    {
        let refused = changed(change);
        assert!(matches!(refused, ReviewError::Request { .. }), "{refused}");
    }
    let twice = good.to_string().replacen("\"request\":", "\"request\":{},\"request\":", 1);
    assert!(matches!(Review::parse(twice.as_bytes()), Err(ReviewError::Json(_))));
    assert!(matches!(Review::parse(&vec![b' '; MAX_REVIEW_BYTES + 1]), Err(ReviewError::Json(_))));
}

#[test]
fn a_caller_has_a_name() {
    let mut review = review("CREATE", &pod(&["api"]), &Value::Null);
    assert_eq!(read(&review).check_user(), Ok(()));
    for user in ["", "a\nb", &"x".repeat(501)] {
        review["request"]["userInfo"]["username"] = json!(user);
        assert!(read(&review).check_user().unwrap_err().contains("userInfo.username"), "{user}");
    }
    review["request"].as_object_mut().unwrap().remove("userInfo");
    assert!(read(&review).check_user().is_err());
}

#[test]
fn a_restart_is_new_and_a_pod_or_made_by_a_controller() {
    let may = |operation: &str, object: &Value| {
        Demand::of(&read(&review(operation, object, &Value::Null))).may_be_restart
    };
    assert!(may("CREATE", &pod(&["api"])));
    assert!(!may("UPDATE", &pod(&["api"])));
    let mut object = deployment(1, &["api"]);
    assert!(!may("CREATE", &object));
    object["metadata"]["ownerReferences"] =
        json!([{"kind": "X"}, {"kind": "Y", "controller": true}]);
    assert!(!may("CREATE", &object), "whoever asks writes that");
    for (user, expected) in [
        ("alice", false),
        ("system:serviceaccount:kube-system:replicaset-controller", true),
        ("system:serviceaccount:default:replicaset-controller", false),
        ("system:serviceaccount:kube-system:other", false),
        ("system:kube-controller-manager", true),
    ] {
        let mut review = review("CREATE", &pod(&["api"]), &Value::Null);
        review["request"]["userInfo"]["username"] = json!(user);
        assert_eq!(read(&review).is_by_controller(), expected, "{user}");
        review["request"]["kind"] = json!({"group": "apps", "version": "v1", "kind": "Deployment"});
        review["request"]["object"] = deployment(1, &["api"]);
        assert_eq!(Demand::of(&read(&review)).may_be_restart, expected, "{user}");
    }
}

#[test]
fn an_answer_tells_image_container_and_reason_and_counts_what_is_missing_as_denied() {
    let demand = Demand::of(&read(&review("CREATE", &pod(&["api", "web"]), &Value::Null)));
    let judged = [Judged::Undecided("the deadline of 9000 ms has passed".to_owned())];
    let answer = AdmissionReview::answering("u", &demand, &judged, &[]).response;
    assert!(!answer.allowed);
    let status = answer.status.unwrap();
    assert_eq!(status.code, 403);
    assert!(
        status.message.contains("container api): the deadline of 9000 ms"),
        "{}",
        status.message
    );
    assert!(status.message.contains("container web): no decision was made"), "{}", status.message);
    assert_eq!(answer.audit_annotations.len(), 2);
    let nothing = AdmissionReview::answering("u", &Demand::default(), &[], &[]);
    let written = serde_json::to_value(&nothing).unwrap();
    let expected = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": {"uid": "u", "allowed": true}});
    assert_eq!(written, expected);
}

#[test]
fn an_image_without_a_digest_hides_no_other_and_is_told_once() {
    let mut object = pod(&["api"]);
    object["spec"]["initContainers"] =
        json!([{"name": "a", "image": "nginx:1.27"}, {"name": "b", "image": "nginx:1.27"}]);
    let demand = Demand::of(&read(&review("CREATE", &object, &Value::Null)));
    assert_eq!((demand.images.len(), demand.undecidable.len()), (1, 1));
    let logged = Logged { digest: Sha256::of(b"a decision"), index: 7 };
    let judged = [Judged::Undecided("no rule".to_owned())];
    let answer = AdmissionReview::answering("u", &demand, &judged, &[Some(logged)]).response;
    let message = answer.status.unwrap().message;
    assert!(message.contains("init container a, init container b: "), "{message}");
    assert!(message.contains("container api): no rule"), "{message}");
    let told = |number: u8| answer.audit_annotations[&format!("decision-{number}")].as_str();
    assert!(told(1).starts_with("none for "), "{}", told(1));
    assert!(told(2).contains("index 7: FAILED nginx:1.27, which cannot"), "{}", told(2));
}

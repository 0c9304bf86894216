//! What guessing costs, and what it does not tell.

use est::auth::BasicCredentials;

use super::support::{PASSWORD, USER};
use super::{digest_answer, enroll, server, status, values};

fn basic(user: &str, password: &str) -> String {
    let credentials = BasicCredentials::new(user, password).unwrap();
    credentials.to_header().as_str().to_owned()
}

/// An answer without what differs between any two: the date and the nonce.
fn comparable(answer: &str) -> String {
    let differs = |line: &&str| !line.to_ascii_lowercase().starts_with("date:");
    let lines = answer.lines().filter(differs);
    let lines = lines.map(|line| match line.split_once("nonce=\"") {
        Some((before, after)) => format!("{before}{}", after.split_once('"').unwrap().1),
        None => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn an_unknown_user_is_answered_as_a_wrong_password() {
    let (server, _) = server(&["digest", "basic"], true, [1; 32]).await;
    let known = enroll(&server, Some(&basic(USER, "wrong"))).await;
    let unknown = enroll(&server, Some(&basic("nobody", "wrong"))).await;
    assert_eq!(status(&known), "401");
    assert_eq!(comparable(&known), comparable(&unknown));
    let challenged = enroll(&server, None).await;
    let known = enroll(&server, Some(&digest_answer(&challenged, USER, "wrong", 1))).await;
    let unknown = enroll(&server, Some(&digest_answer(&challenged, "nobody", "wrong", 1))).await;
    assert_eq!(status(&known), "401");
    assert_eq!(comparable(&known), comparable(&unknown));
    server.stop().await;
}

#[tokio::test]
async fn guessing_ends_in_429_for_known_and_unknown_names_alike() {
    let (server, _) = server(&["basic"], false, [1; 32]).await;
    // Remembered as right, so that a guess could be answered without a check.
    assert_eq!(
        status(&enroll(&server, Some(&basic(USER, PASSWORD))).await),
        "200"
    );
    for user in [USER, "nobody"] {
        for _ in 0..5 {
            assert_eq!(status(&enroll(&server, Some(&basic(user, "wrong"))).await), "401");
        }
        for password in ["wrong", PASSWORD] {
            let refused = enroll(&server, Some(&basic(user, password))).await;
            assert_eq!(status(&refused), "429", "{user}: {refused}");
            let wait: u64 = values(&refused, "retry-after")[0].parse().unwrap();
            assert!((1..=30).contains(&wait), "{wait}");
            assert!(
                refused.contains("too many failed logins") && !refused.contains(user),
                "{refused}"
            );
        }
    }
    let checks = server.handle.statistics().password_checks;
    assert_eq!(checks, 11, "what is refused is not checked");
    server.stop().await;
}

#[tokio::test]
async fn guessing_tokens_and_digests_ends_in_429_too() {
    let (server, token) = server(&["bearer"], false, [1; 32]).await;
    for number in 0..30 {
        let answer = enroll(&server, Some(&format!("Bearer guess{number}"))).await;
        assert_eq!(status(&answer), "401");
        assert!(values(&answer, "www-authenticate")[0].contains("invalid_token"));
    }
    let header = format!("Bearer {}", token.as_str());
    assert_eq!(status(&enroll(&server, Some(&header)).await), "429");
    server.stop().await;

    let (server, _) = super::server(&["digest"], false, [1; 32]).await;
    let challenged = enroll(&server, None).await;
    for count in 1..=5 {
        let guess = digest_answer(&challenged, USER, "wrong", count);
        assert_eq!(status(&enroll(&server, Some(&guess)).await), "401");
    }
    let right = digest_answer(&challenged, USER, PASSWORD, 6);
    assert_eq!(status(&enroll(&server, Some(&right)).await), "429");
    server.stop().await;
}

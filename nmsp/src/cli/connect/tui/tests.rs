use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::layout::Rect;

use super::*;
use crate::cli::connect::picture::tests::sample;

fn screen(choice: &Choice, picture: &Picture, health: &[Health], (width, height): (u16, u16)) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal
        .draw(|frame| view::draw(frame, choice, picture, health, Instant::now()))
        .unwrap();
    terminal.backend().to_string()
}

fn press(choice: &mut Choice, code: KeyCode) -> bool {
    choice.key(KeyEvent::new(code, KeyModifiers::NONE))
}

#[test]
fn the_map_shows_access_points_and_located_stations() {
    let (picture, health) = sample();
    let shown = screen(&Choice::default(), &picture, &health, (110, 30));
    for part in [
        "1/2 controllers up",
        "12 stations",
        "3 lost",
        "▣ap-001",
        "▣ap-004",
        "•",
        "32 m × 24 m",
    ] {
        assert!(shown.contains(part), "{part:?} is missing:\n{shown}");
    }
    let plain = Choice {
        plain: true,
        ..Choice::default()
    };
    assert!(!screen(&plain, &picture, &health, (110, 30)).contains("≥ -60 dBm"));
}

#[test]
fn without_a_known_place_the_map_says_what_to_do() {
    let picture = Picture::new(1, None, Instant::now());
    let shown = screen(&Choice::default(), &picture, &[], (90, 12));
    assert!(shown.contains("--floor FILE"), "{shown}");
}

#[test]
fn pages_turn_and_show_health_messages_and_stations() {
    let (picture, health) = sample();
    let mut choice = Choice::default();
    assert!(!press(&mut choice, KeyCode::Tab));
    let shown = screen(&choice, &picture, &health, (120, 20));
    for part in [
        "wlc-1:16113",
        "up",
        "wlc-2:16113",
        "waiting",
        "TCP: connection refused",
    ] {
        assert!(shown.contains(part), "{part:?} is missing:\n{shown}");
    }
    press(&mut choice, KeyCode::Char('3'));
    let shown = screen(&choice, &picture, &health, (120, 20));
    assert!(
        shown.contains("Measurement Notification") && shown.contains("Received"),
        "{shown}"
    );
    press(&mut choice, KeyCode::Right);
    let shown = screen(&choice, &picture, &health, (120, 20));
    assert!(
        shown.contains("02:00:c0:00:00:01") && !shown.contains("dBm"),
        "{shown}"
    );
    let full = shown.matches("02:00:").count();
    assert!(full >= 12, "{shown}");
    for _ in 0..5 {
        press(&mut choice, KeyCode::Down);
    }
    assert!(
        screen(&choice, &picture, &health, (120, 20))
            .matches("client")
            .count()
            <= full - 5
    );
    press(&mut choice, KeyCode::Left);
    assert_eq!((choice.page, choice.scroll), (Page::Messages, 0));
}

#[test]
fn the_keys_are_explained_and_end_the_view() {
    let (picture, health) = sample();
    let mut choice = Choice::default();
    press(&mut choice, KeyCode::Char('?'));
    let shown = screen(&choice, &picture, &health, (80, 24));
    assert!(shown.contains("pause and go on"), "{shown}");
    assert!(!press(&mut choice, KeyCode::Esc), "closes the help first");
    press(&mut choice, KeyCode::Char('p'));
    assert!(screen(&choice, &picture, &health, (80, 24)).contains("paused"));
    assert!(press(&mut choice, KeyCode::Esc));
    assert!(press(&mut choice, KeyCode::Char('q')));
    assert!(choice.key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)));
}

#[test]
fn any_size_of_the_terminal_will_do() {
    let (picture, health) = sample();
    for page in Page::ALL {
        for size in [(1, 1), (3, 2), (20, 5), (300, 90)] {
            let choice = Choice {
                page,
                help: true,
                ..Choice::default()
            };
            screen(&choice, &picture, &health, size);
        }
    }
}

#[test]
fn the_map_keeps_the_proportions_of_the_floor() {
    let area = Rect::new(0, 2, 100, 40);
    assert_eq!(map::fitted(area, 40.0, 16.0), Rect::new(0, 2, 100, 20));
    assert_eq!(map::fitted(area, 10.0, 40.0), Rect::new(0, 2, 20, 40));
}

/// Not a test: what the one below runs on a terminal.
#[test]
#[ignore = "needs a terminal, and panics"]
fn a_view_that_panics() {
    let mut tui = Tui::open().unwrap();
    tui.draw(&Picture::new(1, None, Instant::now()), &[], Instant::now())
        .unwrap();
    panic!("the view broke");
}

#[cfg(unix)]
#[test]
fn the_terminal_is_given_back_before_a_panic_is_printed() {
    let own = std::env::current_exe().unwrap();
    let ran = std::process::Command::new("python3")
        .args(["-c", include_str!("../../../../tests/support/pty.py"), "none"])
        .arg(own)
        .args(["--ignored", "--exact", "--nocapture"])
        .arg("cli::connect::tui::tests::a_view_that_panics")
        .output();
    let Ok(ran) = ran else {
        let demanded = std::env::var("INTEROP_REQUIRE").unwrap_or_default();
        assert!(!demanded.contains("python"), "{demanded} demands python3");
        // Past the test harness, which keeps what a passing test prints to itself.
        drop(std::io::Write::write_all(
            &mut std::io::stderr(),
            b"skipped: not installed: python3\n",
        ));
        return;
    };
    let ended: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    for what in ["same_settings", "left_screen", "cursor_shown"] {
        assert_eq!(ended[what], true, "{what}: {ended}");
    }
    assert_ne!(ended["status"], 0, "{ended}");
    let after = ended["after_screen"].as_str().unwrap();
    let output = ended["output"].as_str().unwrap();
    assert!(output.contains("the view broke"), "{ended}");
    assert!(after.contains("test result: FAILED"), "{ended}");
}

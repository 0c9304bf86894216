use super::*;
use crate::simulation::geometry::{Position, Wall};
use crate::simulation::locate::Locator;
use crate::wire::StationClass;

const POPULATION: Population = Population {
    clients: 40,
    tags: 6,
    rogue_access_points: 3,
    rogue_clients: 3,
    interferers: 5,
};

fn simulation(seed: u64) -> Simulation {
    Simulation::new(FloorPlan::office(9), &POPULATION, seed, Timestamp(1_000_000)).unwrap()
}

fn everybody(simulation: &Simulation) -> Range<usize> {
    0..simulation.devices().len()
}

/// Reports of every second.
fn run(simulation: &mut Simulation, seconds: u64) {
    let start = simulation.measurements[0].timestamp.0;
    for second in 1..=seconds {
        simulation.report(everybody(simulation), Timestamp(start + second * 1000));
    }
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_seed_another() {
    let (mut one, mut same, mut other) = (simulation(7), simulation(7), simulation(8));
    for each in [&mut one, &mut same, &mut other] {
        run(each, 120);
    }
    assert_eq!(one.measurements, same.measurements);
    assert_eq!(
        one.alarms(Timestamp(2_000_000)),
        same.alarms(Timestamp(2_000_000))
    );
    assert_ne!(one.measurements, other.measurements);
}

#[test]
fn nobody_leaves_the_floor_or_goes_through_a_wall() {
    let mut plan = FloorPlan::office(6);
    plan.walls.push(Wall {
        from: Position::new(2.0, 2.0),
        to: Position::new(9.0, 11.0),
        loss_db: 5.0,
    });
    let mut floor = Simulation::new(plan, &POPULATION, 3, Timestamp(0)).unwrap();
    let mut before: Vec<Position> = floor.devices().iter().map(Device::position).collect();
    let mut walked = 0.0;
    // Steps of an odd length, so that they end in the middle of a walk and on a waypoint; a walk round a waypoint bends, so
    // the steps are shorter than the clearance that everybody keeps.
    for step in 1..=4_000 {
        let range = everybody(&floor);
        floor.report(range, Timestamp(step * 90));
        for (device, before) in floor.devices().iter().zip(&mut before) {
            let now = device.position();
            assert!(floor.plan().contains(now), "{device:?}");
            assert!(
                !floor.plan().walls.iter().any(|wall| wall.separates(*before, now)),
                "{device:?} was at {before:?}"
            );
            walked += before.distance(now);
            *before = now;
        }
    }
    assert!(walked > 1000.0, "{walked} m");
}

#[test]
fn stations_are_located_within_metres_of_where_they_are() {
    let mut floor = simulation(5);
    let locator = Locator::new(floor.plan().clone());
    run(&mut floor, 30);
    let mut errors = Vec::new();
    for (device, measurement) in floor.devices().iter().zip(&floor.measurements) {
        let found = locator
            .locate(measurement.access_points.iter().copied())
            .unwrap_or_else(|| panic!("nobody hears {device:?}"));
        errors.push(found.distance(device.position()));
    }
    errors.sort_by(f64::total_cmp);
    let (median, worst) = (errors[errors.len() / 2], errors[errors.len() * 9 / 10]);
    assert!(
        median < 3.0 && worst < 6.0,
        "median {median:.1} m, nine of ten within {worst:.1} m"
    );
}

#[test]
fn a_wall_weakens_what_is_heard_behind_it() {
    let mut plan = FloorPlan::hall(20.0, 10.0);
    plan.propagation.noise_db = 0.0;
    plan.access_points.push(crate::simulation::AccessPoint::numbered(
        1,
        Position::new(1.0, 5.0),
    ));
    let free = plan.expected_rssi(
        crate::wire::Band::GHZ_5,
        Position::new(19.0, 5.0),
        Position::new(1.0, 5.0),
    );
    plan.walls.push(Wall {
        from: Position::new(10.0, 0.0),
        to: Position::new(10.0, 10.0),
        loss_db: 7.0,
    });
    let behind = plan.expected_rssi(
        crate::wire::Band::GHZ_5,
        Position::new(19.0, 5.0),
        Position::new(1.0, 5.0),
    );
    assert!((free - behind - 7.0).abs() < 1e-9);
}

#[test]
fn four_of_five_clients_are_associated_with_what_they_hear_best() {
    let mut floor = simulation(1);
    run(&mut floor, 60);
    let information = floor.information(everybody(&floor), Timestamp(1_060_000));
    assert_eq!(information.clients.len(), 40);
    let associated: Vec<_> = information
        .clients
        .iter()
        .filter(|client| client.association.is_some())
        .collect();
    assert!((25..=38).contains(&associated.len()), "{}", associated.len());
    for client in associated {
        let measurement = floor
            .measurements
            .iter()
            .find(|measurement| measurement.station == client.station)
            .unwrap();
        assert_eq!(measurement.state, Some(StationState::RUNNING));
        let mac = client.association.as_ref().unwrap().access_point;
        let best = measurement
            .access_points
            .iter()
            .map(|each| each.rssi_dbm)
            .max()
            .unwrap();
        let own = measurement
            .access_points
            .iter()
            .find(|each| each.access_point == mac)
            .unwrap();
        assert!(
            best - own.rssi_dbm < ROAMING_DB,
            "{client:?} hears {measurement:?}"
        );
    }
}

#[test]
fn what_roams_is_told_as_a_handover() {
    let mut floor = simulation(2);
    let mut handovers = 0;
    for second in 1..=900 {
        let now = Timestamp(1_000_000 + second * 1000);
        floor.report(0..40, now);
        for change in floor.changes().to_vec() {
            let Some(handover) = floor.handover(change, now) else {
                continue;
            };
            handovers += 1;
            assert_ne!(handover.from, handover.to);
            let client = handover.client.unwrap();
            assert_eq!(client.association.unwrap().access_point, handover.to);
        }
    }
    assert!(handovers > 10, "{handovers}");
}

#[test]
fn a_tag_that_comes_near_a_chokepoint_says_so() {
    let mut plan = FloorPlan::office(1);
    plan.chokepoints[0].range = 100.0;
    let population = Population {
        tags: 1,
        ..Population::default()
    };
    let mut floor = Simulation::new(plan, &population, 1, Timestamp(0)).unwrap();
    floor.report(0..1, Timestamp(1000));
    assert_eq!(
        floor.changes(),
        [Change::Passed {
            device: 0,
            chokepoint: 0
        }]
    );
    floor.report(0..1, Timestamp(2000));
    assert!(floor.changes().is_empty());
    let tag = &floor.information(0..1, Timestamp(2000)).tags[0];
    assert_eq!(
        (tag.sequence, tag.chokepoints.len(), tag.telemetry.len()),
        (2, 1, 5)
    );
    assert_eq!(tag.chokepoints[0].timestamp, Timestamp(1000));
}

#[test]
fn attacks_are_raised_once_and_cleared() {
    use crate::wire::numbers::{AlarmState, AttackType};

    let mut floor = simulation(1);
    run(&mut floor, 1);
    let (mut raised, mut cleared) = (Vec::new(), 0);
    for second in 2..=120 {
        for alarm in floor.alarms(Timestamp(1_000_000 + second * 1000)) {
            match alarm.state {
                AlarmState::RAISED => raised.push((alarm.alarm, alarm.attack)),
                _ => {
                    cleared += 1;
                    assert!(raised.iter().any(|(number, _)| *number == alarm.alarm));
                }
            }
        }
    }
    let honeypots = raised
        .iter()
        .filter(|(_, attack)| *attack == AttackType::HONEYPOT)
        .count();
    assert_eq!(honeypots, 1, "one of three rogues is malicious: {raised:?}");
    assert!(cleared >= 3, "{cleared}");
    assert_eq!(floor.raised_alarms().len(), raised.len() - cleared);
}

#[test]
fn every_family_fits_the_wire_and_survives_it() {
    use crate::wire::{Frame, OwnedMessage, WireProfile};

    let mut plan = FloorPlan::office(4);
    plan.corner = Some(crate::simulation::Corner {
        latitude: 48.0,
        longitude: 11.0,
    });
    let mut floor = Simulation::new(plan, &POPULATION, 1, Timestamp(0)).unwrap();
    run(&mut floor, 5);
    let (now, all) = (Timestamp(5000), everybody(&floor));
    let locator = Locator::new(floor.plan().clone());
    let alarms = floor.alarms(now);
    assert!(!alarms.is_empty());
    let messages = [
        OwnedMessage::InformationNotification(floor.information(all.clone(), now)),
        OwnedMessage::StatisticsNotification(floor.statistics(all.clone(), now)),
        OwnedMessage::AttachmentNotification(floor.attachments(all.clone())),
        OwnedMessage::LocationNotification(floor.locations(all, &locator)),
        OwnedMessage::LocationNotification(floor.access_point_locations(now)),
        OwnedMessage::ApInfoNotification(floor.access_points(now)),
        OwnedMessage::SpectrumNotification(floor.spectrum(now)),
        OwnedMessage::ApMonitorNotification(floor.monitor(now)),
        OwnedMessage::IdsNotification(crate::wire::message::bodies::IdsNotification { alarms }),
    ];
    let profile = WireProfile::built_in();
    for message in messages {
        let mut bytes = bytes::BytesMut::new();
        message.encode(1, profile, &mut bytes).unwrap();
        assert!(bytes.len() > 100, "{message:?}");
        let (frame, _) = Frame::cut(profile, usize::MAX, &bytes).unwrap().unwrap();
        assert_eq!(OwnedMessage::decode(&frame, profile).unwrap(), message);
    }
}

#[test]
fn an_interferer_near_an_access_point_makes_its_air_worse() {
    let floor = {
        let mut floor = simulation(4);
        run(&mut floor, 2);
        floor
    };
    let spectrum = floor.spectrum(Timestamp(1_002_000));
    assert_eq!(spectrum.air_quality.len(), 18);
    assert_eq!(spectrum.interferers.len(), 5);
    let disturbed = |quality: &&crate::wire::elements::AirQuality| quality.interferers > 0;
    assert!(
        spectrum
            .air_quality
            .iter()
            .any(|quality| disturbed(&quality) && quality.average < 100)
    );
    assert!(
        spectrum
            .air_quality
            .iter()
            .filter(|quality| !disturbed(quality))
            .all(|quality| quality.average == 100)
    );
}

#[test]
fn too_many_and_nowhere_are_refused() {
    let many = Population {
        clients: u32::MAX,
        tags: u32::MAX,
        ..Population::default()
    };
    let refused = Simulation::new(FloorPlan::office(1), &many, 1, Timestamp(0)).unwrap_err();
    assert!(matches!(refused, SimulationError::TooMany { .. }), "{refused}");
    let mut plan = FloorPlan::office(1);
    plan.width = 1.0;
    plan.depth = 1.0;
    plan.access_points[0].position = Position::new(0.5, 0.5);
    plan.walls = (0..=4)
        .map(|step| Wall {
            from: Position::new(0.0, 0.25 * f64::from(step)),
            to: Position::new(1.0, 0.25 * f64::from(step)),
            loss_db: 1.0,
        })
        .collect();
    let refused = Simulation::new(plan, &POPULATION, 1, Timestamp(0)).unwrap_err();
    assert_eq!(refused, SimulationError::NoFreePlace);
}

#[test]
fn steady_reports_do_not_allocate() {
    let mut floor = simulation(6);
    // Until every list of readings has been as long as it gets.
    for measurement in &mut floor.measurements {
        measurement.access_points.reserve(64);
    }
    run(&mut floor, 5);
    let capacities: Vec<usize> = floor
        .measurements
        .iter()
        .map(|each| each.access_points.capacity())
        .collect();
    run(&mut floor, 100);
    let after: Vec<usize> = floor
        .measurements
        .iter()
        .map(|each| each.access_points.capacity())
        .collect();
    assert_eq!(capacities, after);
    assert!(
        floor
            .devices()
            .iter()
            .any(|device| device.class == StationClass::INTERFERER)
    );
}

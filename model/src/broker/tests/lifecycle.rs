//! Who a broker is to the controller: registration, heartbeats, an orderly stop (C36-C44, R100-R103).

use super::stage::{CLIENT, P, Stage, consumer_fetch, isr_changed, life, ms, registration, three};
use crate::config::{Acks, BrokerConfig};
use crate::event::Event;
use crate::machine::{Input, Task};
use crate::metadata::MetadataRecord;
use crate::names::{BrokerEpoch, BrokerId};
use crate::protocol::Protocol;
use crate::wire::{
    Body, BrokerHeartbeatRequest, BrokerHeartbeatResponse, BrokerRegistrationRequest, BrokerRegistrationResponse,
    Channel, ErrorCode, Request, Response,
};

fn registration_sent(stage: &mut Stage) -> BrokerRegistrationRequest {
    match stage.expect_sent(Channel::Lifecycle).body {
        Body::Request(Request::BrokerRegistration(request)) => request,
        other => panic!("not a registration: {other:?}"),
    }
}

fn heartbeat_in(stage: &Stage) -> Option<BrokerHeartbeatRequest> {
    stage.sent.iter().rev().find_map(|sent| match sent.body {
        Body::Request(Request::BrokerHeartbeat(request)) => Some(request),
        _ => None,
    })
}

fn refuse_registration(stage: &mut Stage, error: ErrorCode) {
    let request = stage.expect_sent(Channel::Lifecycle);
    let answer = BrokerRegistrationResponse { error, broker_epoch: None };
    stage.answer(&request, Response::BrokerRegistration(answer));
}

#[test]
fn a_process_names_itself_and_is_registered_before_it_heartbeats() {
    let mut stage = Stage::new(1);
    stage.start();
    let registration = registration_sent(&mut stage);
    assert_eq!((registration.broker, registration.previous_broker_epoch), (BrokerId(1), None));
    let mut stage = Stage::new(1);
    stage.start();
    stage.register(life(1));
    let heartbeat = heartbeat_in(&stage).expect("a heartbeat follows at once");
    assert_eq!(heartbeat.broker_epoch, life(1));
    assert!(heartbeat.want_fence, "C44: nothing is published yet");
}

#[test]
fn a_registration_whose_answer_comes_after_its_record_brings_the_broker_up_all_the_same() {
    let mut stage = Stage::new(1);
    stage.start();
    stage.learn(&three(1, &[1, 2, 3], 1));
    assert_eq!(stage.broker.replicas().count(), 0, "who am I?");
    stage.register(life(1));
    stage.run_all();
    assert_eq!(stage.broker.replicas().count(), 1);
    stage.answer_heartbeat(true, false);
    assert!(!heartbeat_in(&stage).expect("another heartbeat at once").want_fence, "C44");
}

#[test]
fn a_duplicate_registration_is_tried_again_by_the_same_process_until_the_old_session_ends() {
    let mut stage = Stage::new(1);
    stage.start();
    let first = stage.sent.iter().find(|sent| sent.channel == Channel::Lifecycle).cloned().expect("a registration");
    for _ in 0..6 {
        refuse_registration(&mut stage, ErrorCode::DuplicateBrokerRegistration);
        stage.pass(ms(9_000));
    }
    let again = stage.expect_sent(Channel::Lifecycle);
    assert_eq!(again.body, first.body, "C37: the same incarnation asks");
    assert_ne!(again.correlation, first.correlation);
}

#[test]
fn a_broker_that_cannot_register_for_a_minute_ends() {
    let mut stage = Stage::new(1);
    stage.start();
    stage.pass(ms(59_999));
    assert!(!stage.exited);
    stage.pass(ms(1));
    assert!(stage.exited, "C36");
    assert_eq!(stage.disk.content(".kafka_cleanshutdown"), None);
}

#[test]
fn a_heartbeat_goes_out_every_interval_and_a_failed_one_is_sent_again_sooner() {
    let mut stage = Stage::up(1, &three(1, &[1, 2, 3], 1));
    stage.answer_heartbeat(false, false);
    stage.sent.clear();
    stage.pass(ms(1_999));
    assert_eq!(heartbeat_in(&stage), None);
    stage.pass(ms(1));
    assert_eq!(heartbeat_in(&stage).map(|heartbeat| heartbeat.want_fence), Some(false), "C39");
    let request = stage.expect_sent(Channel::Lifecycle);
    let error = ErrorCode::StaleBrokerEpoch;
    let answer = BrokerHeartbeatResponse { error, is_caught_up: false, is_fenced: true, should_shut_down: false };
    stage.answer(&request, Response::BrokerHeartbeat(answer));
    stage.pass(ms(100));
    assert!(heartbeat_in(&stage).is_some());
    assert_eq!(stage.noted(|event| matches!(event, Event::Fenced { fenced: true })), 0, "an error says nothing");
}

#[test]
fn what_changes_while_a_heartbeat_is_under_way_is_reported_right_after_its_answer() {
    let mut stage = Stage::new(1);
    stage.start();
    stage.register(life(1));
    stage.learn(&three(1, &[1, 2, 3], 1));
    stage.answer_heartbeat(true, false);
    assert_eq!(heartbeat_in(&stage).map(|heartbeat| heartbeat.want_fence), Some(false), "not two seconds later");
    stage.answer_heartbeat(false, false);
    assert_eq!(heartbeat_in(&stage), None, "and only once");
}

#[test]
fn a_broker_cut_off_from_the_controller_serves_on() {
    let mut stage = Stage::up(1, &three(1, &[1], 1));
    stage.pass(ms(120_000));
    stage.run_all();
    stage.produce(1, Acks::All, &[1]);
    stage.run_all();
    assert_eq!(stage.produced(), [[(ErrorCode::None, Some(0))]], "C43");
    assert!(!stage.exited);
}

#[test]
fn nobody_is_served_before_the_first_image_is_published() {
    let mut stage = Stage::new(1);
    stage.start();
    stage.ask(1, Request::Fetch(consumer_fetch(0)));
    assert_eq!(stage.closed.iter().map(|closed| closed.peer).collect::<Vec<_>>(), [CLIENT]);
    assert_eq!(stage.answers(), []);
}

#[test]
fn an_orderly_stop_waits_for_the_controller_and_leaves_all_on_disk() {
    let mut stage = Stage::up(1, &three(1, &[1], 1));
    stage.produce(1, Acks::Leader, &[1, 2]);
    stage.run_all();
    stage.answer_heartbeat(false, false);
    stage.take(Input::Terminate);
    assert!(heartbeat_in(&stage).expect("at once").want_shut_down, "R100");
    stage.answer_heartbeat(false, false);
    assert!(!stage.exited && stage.tasks.is_empty(), "leaderships have to move first");
    stage.produce(1, Acks::Leader, &[3]);
    assert_eq!(stage.produced().len(), 2, "and until then it serves");
    stage.pass(ms(2_000));
    assert!(heartbeat_in(&stage).expect("the next one").want_shut_down);
    stage.answer_heartbeat(true, true);
    stage.run(|task| *task == Task::CompleteShutdown);
    assert!(stage.exited, "R101");
    assert_eq!(stage.disk.text("replication-offset-checkpoint").as_deref(), Some("0\n1\nt 0 3\n"));
    assert_eq!(stage.disk.text("recovery-point-offset-checkpoint").as_deref(), Some("0\n1\nt 0 3\n"));
    assert_eq!(stage.noted(|event| matches!(event, Event::Flushed { upto, .. } if upto.0 == 3)), 1);
    assert_eq!(stage.noted(|event| *event == Event::ShutDown), 1);

    stage.disk.power_off_losing_all();
    stage.disk.plant(".kafka_cleanshutdown", r#"{"version":0,"brokerEpoch":11}"#);
    stage.start();
    assert_eq!(registration_sent(&mut stage).previous_broker_epoch, Some(life(1)), "R89");
}

#[test]
fn sigterm_during_a_heartbeat_is_reported_right_after_its_answer() {
    let mut stage = Stage::up(1, &three(1, &[1], 1));
    stage.take(Input::Terminate);
    stage.answer_heartbeat(false, false);
    assert!(heartbeat_in(&stage).expect("at once").want_shut_down, "not two seconds later");
}

#[test]
fn a_leadership_that_cannot_move_holds_up_the_stop_for_five_minutes_at_most() {
    let mut stage = Stage::up(1, &three(1, &[1], 1));
    stage.take(Input::Terminate);
    stage.pass(ms(299_999));
    stage.run_all();
    assert!(!stage.exited);
    stage.pass(ms(1));
    stage.run_all();
    assert!(stage.exited, "R102");
}

#[test]
fn without_controlled_shutdown_a_broker_stops_at_once() {
    let config = BrokerConfig { controlled_shutdown_enable: false, ..BrokerConfig::default() };
    let mut stage = Stage::with(1, config, Protocol::LATEST).brought_up(&three(1, &[1], 1));
    stage.take(Input::Terminate);
    stage.run_all();
    assert!(stage.exited);
}

#[test]
fn a_stop_before_the_logs_were_opened_overwrites_nothing() {
    let mut stage = Stage::new(1);
    stage.disk.plant("replication-offset-checkpoint", "0\n1\nt 0 3\n");
    stage.disk.plant("recovery-point-offset-checkpoint", "0\n1\nt 0 2\n");
    stage.start();
    stage.take(Input::Terminate);
    stage.run_all();
    assert!(stage.exited);
    assert_eq!(stage.disk.text("replication-offset-checkpoint").as_deref(), Some("0\n1\nt 0 3\n"));
    assert_eq!(stage.disk.text("recovery-point-offset-checkpoint").as_deref(), Some("0\n1\nt 0 2\n"));
    assert_eq!(stage.disk.content(".kafka_cleanshutdown"), None, "nothing clean to vouch for");
}

#[test]
fn a_follower_on_its_way_out_stops_fetching_once_it_has_left_the_isr() {
    let mut stage = Stage::up(2, &three(1, &[1, 2, 3], 1));
    stage.run_all();
    let fetch = stage.expect_sent(Channel::ReplicaFetch);
    stage.take(Input::Terminate);
    stage.learn(&[isr_changed(&[1, 3])]);
    stage.answer(&fetch, super::stage::records_from(P, crate::names::EndOffset(0), Vec::new()));
    stage.run_all();
    assert!(stage.take_sent(Channel::ReplicaFetch).is_none(), "R18, though the leader epoch is the same");
    assert_eq!(stage.replica(P).log.end().0, 0, "the log is kept");
}

#[test]
fn a_broker_epoch_is_not_taken_from_a_marker_without_one() {
    let mut stage = Stage::new(1);
    stage.disk.plant(".kafka_cleanshutdown", r#"{"version":0,"brokerEpoch":-1}"#);
    stage.start();
    assert_eq!(stage.notes, [Event::BrokerStarted { previous_broker_epoch: None }]);
}

#[test]
fn a_directory_of_another_topic_of_the_same_name_is_not_taken_for_this_one() {
    let mut stage = Stage::up(1, &three(1, &[1], 1));
    stage.produce(1, Acks::Leader, &[1, 2]);
    stage.run_all();
    let mut records = three(1, &[1], 1);
    let id = crate::names::TopicId(9);
    let partition = crate::names::Partition { topic: id, index: 0 };
    let config = Box::default();
    records.truncate(6);
    records.push(MetadataRecord::Topic { name: "t".to_owned(), id, config });
    records.push(MetadataRecord::Partition(registration(partition, 1, &[1])));
    stage.metadata.clear();
    stage.start();
    stage.register(BrokerEpoch(11));
    stage.learn(&records);
    assert_eq!(stage.replica(partition).log.end().0, 0);
}

//! The report for machines that collect test results: a test suite for each scenario, a test case for each guarantee.
//!
//! Seeds are not test cases: forty seeds that fail alike are one failure, with the failure text inside. No times: a
//! report does not depend on a clock.

use quick_junit::{NonSuccessKind, Property, Report as Document, TestCase, TestCaseStatus, TestSuite};

use crate::report::{FailureRow, Report, ScenarioGuarantee, ScenarioRow, Status};

/// `junit.xml`.
///
/// # Errors
/// If the XML cannot be written, which only a bug can cause.
pub(crate) fn junit(report: &Report) -> Result<String, quick_junit::SerializeError> {
    let mut document = Document::new("highwater");
    for scenario in &report.scenarios {
        document.add_test_suite(suite(report, scenario));
    }
    document.add_test_suite(canary(report));
    document.to_string()
}

fn suite(report: &Report, scenario: &ScenarioRow) -> TestSuite {
    let mut suite = TestSuite::new(scenario.name.as_str());
    suite.add_property(Property::new("runs", scenario.runs.to_string()));
    suite.add_property(Property::new("runs_inconclusive", scenario.inconclusive.to_string()));
    suite.add_property(Property::new("simulated_seconds", format!("{:.3}", scenario.simulated_seconds)));
    suite.add_property(Property::new("seeds", format!("{}..{}", report.campaign.seeds_from, report.campaign.seeds_to)));
    for guarantee in &scenario.guarantees {
        suite.add_test_case(case(report, scenario, guarantee));
    }
    let panics = || of_scenario(report, scenario).filter(|failure| failure.guarantee == "panic");
    let mut case = TestCase::new("no panic", status_of(panics()));
    case.set_classname(scenario.name.as_str());
    suite.add_test_case(case);
    suite
}

fn case(report: &Report, scenario: &ScenarioRow, guarantee: &ScenarioGuarantee) -> TestCase {
    let status = match guarantee.status {
        Status::Held => TestCaseStatus::success(),
        Status::Violated => {
            let failures = of_scenario(report, scenario).filter(|failure| failure.guarantee == guarantee.id);
            let mut status = status_of(failures);
            if matches!(status, TestCaseStatus::Success { .. }) {
                // Another guarantee broke first in those runs and gave them their fingerprint.
                status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                status.set_type(guarantee.id.as_str());
                status.set_message(format!("broken in {} runs, after another guarantee", guarantee.violations));
            }
            status
        }
        Status::Vacuous | Status::OutOfScope => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(guarantee.status.words());
            status
        }
    };
    let mut case = TestCase::new(guarantee.id.as_str(), status);
    case.set_classname(scenario.name.as_str());
    case.add_property(Property::new("runs", guarantee.runs.to_string()));
    case.add_property(Property::new("exercised", guarantee.exercised.to_string()));
    case.add_property(Property::new("violations", guarantee.violations.to_string()));
    case
}

fn of_scenario<'a>(report: &'a Report, scenario: &'a ScenarioRow) -> impl Iterator<Item = &'a FailureRow> {
    report.failures.iter().filter(|failure| failure.seen.iter().any(|(name, _)| *name == scenario.name))
}

/// Success, or one failure that says all of them.
fn status_of<'a>(failures: impl Iterator<Item = &'a FailureRow>) -> TestCaseStatus {
    let failures: Vec<_> = failures.collect();
    let Some(first) = failures.first() else { return TestCaseStatus::success() };
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_type(first.fingerprint.as_str());
    status.set_message(first.sentence.as_str());
    let texts: Vec<_> = failures.iter().map(|failure| failure.text.as_str()).collect();
    status.set_description(texts.join("\n\n"));
    status
}

fn canary(report: &Report) -> TestSuite {
    let mut suite = TestSuite::new("canary");
    let status = if report.canary.found_by_seed.is_some() {
        TestCaseStatus::success()
    } else {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_type("canary-not-found");
        status.set_message(format!("{} seeds did not find the planted bug", report.canary.seeds_tried));
        status
    };
    let mut case = TestCase::new("the planted bug is found", status);
    case.set_classname("canary");
    suite.add_test_case(case);
    for bug in &report.canary.known_bugs {
        let status = if bug.found {
            TestCaseStatus::success()
        } else {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_type("known-bug-not-found");
            status.set_message(format!("{} seeds did not break {}", bug.seeds, bug.breaks));
            status
        };
        let mut case = TestCase::new(format!("{} {}", bug.id, bug.name), status);
        case.set_classname("known bugs");
        suite.add_test_case(case);
    }
    suite
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn a_suite_is_a_scenario_and_a_case_is_a_guarantee() {
        let xml = junit(&samples::report()).unwrap();
        assert_eq!(xml.matches("<testsuite ").count(), 3, "{xml}");
        assert!(xml.contains(r#"<testcase name="durability" classname="reference""#), "{xml}");
        assert!(xml.contains(r#"failures="1""#));
        assert_eq!(xml.matches("<skipped").count(), 2);
    }

    #[test]
    fn a_failure_carries_its_text_and_its_fingerprint() {
        let xml = junit(&samples::report()).unwrap();
        assert!(xml.contains(r#"type="durability/elected-leader-lacks-committed-record""#), "{xml}");
        assert!(xml.contains("b2 &lt;lost&gt; it"));
    }

    #[test]
    fn a_guarantee_that_broke_second_fails_too() {
        let mut report = samples::report();
        report.scenarios[1].guarantees[0].status = Status::Violated;
        report.scenarios[1].guarantees[0].violations = 3;
        let xml = junit(&report).unwrap();
        assert!(xml.contains("broken in 3 runs, after another guarantee"), "{xml}");
    }

    #[test]
    fn a_canary_that_was_not_found_is_an_error() {
        let mut report = samples::report();
        report.canary.found_by_seed = None;
        assert!(junit(&report).unwrap().contains("canary-not-found"));
    }
}

//! Hardware controls of devices: a thread of their own asks the drivers, so that one that hangs holds up
//! neither loop nor stream.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::capture::{
    ControlledSources, ControlsError, WasReset, WasSet, WhichDevice, device_controls,
    reset_device_control, restore_device_controls, set_device_control, tables_of_absent_device,
};
use crate::config::Settings;
use crate::control::{ControlOrder, ControlReset, ControlSet, JobResult};
use crate::device_controls::{ControlName, ControlSettings, ControlsOf};
use crate::limits::{
    CONTROLS_ORDERS_MAX, CONTROLS_PATIENCE, CONTROLS_RETRY_INTERVAL, CONTROLS_TRIES_MAX,
};

/// The way to the thread. It ends with this.
pub(crate) struct DeviceControlsThread {
    orders: Option<SyncSender<Order>>,
    patience: Duration,
}

enum Order {
    Restore {
        sources: ControlledSources,
        settings: Wanted,
        reset: Vec<ControlName>,
    },
    Answer {
        sources: ControlledSources,
        question: ControlOrder,
        answer: SyncSender<JobResult>,
        /// Then nobody waits any more.
        until: Instant,
    },
}

/// What the settings say of each sort of device.
type Wanted = [(ControlsOf, ControlSettings); 2];

const HANGS: &str = "its driver does not respond";

impl Default for DeviceControlsThread {
    fn default() -> DeviceControlsThread {
        DeviceControlsThread { orders: None, patience: CONTROLS_PATIENCE }
    }
}

impl DeviceControlsThread {
    /// Sets all controls of devices that are there as the settings say, and gives others their defaults.
    pub(crate) fn restore(
        &mut self,
        sources: ControlledSources,
        settings: &Settings,
        reset: Vec<ControlName>,
    ) {
        let settings = ControlsOf::ALL.map(|of| (of, settings.controls(of)));
        let order = Order::Restore { sources, settings, reset };
        let sent = self.started().map(|orders| orders.try_send(order).is_ok());
        if sent == Some(false) {
            tracing::warn!("controls are not restored: {HANGS}");
        }
    }

    /// Answers a question, or changes a control. Waits for `CONTROLS_PATIENCE` at most.
    pub(crate) fn answer(
        &mut self,
        sources: ControlledSources,
        question: ControlOrder,
    ) -> impl FnOnce() -> JobResult + Send + 'static {
        let (orders, patience) = (self.started(), self.patience);
        move || {
            let (answer, answered) = sync_channel(1);
            let until = Instant::now() + patience;
            let order = Order::Answer {
                sources: sources.clone(),
                question: question.clone(),
                answer,
                until,
            };
            let is_taken = orders.is_some_and(|orders| orders.try_send(order).is_ok());
            let answer = is_taken.then(|| answered.recv_timeout(patience).ok()).flatten();
            answer.unwrap_or_else(|| no_answer(&sources, &question))
        }
    }

    fn started(&mut self) -> Option<SyncSender<Order>> {
        if self.orders.is_none() {
            let (orders, received) = sync_channel(CONTROLS_ORDERS_MAX);
            let started = thread::Builder::new()
                .name("device-controls".to_owned())
                .spawn(move || work(&received));
            let started =
                started.inspect_err(|error| tracing::error!(%error, "no thread for controls"));
            self.orders = started.ok().map(|_| orders);
        }
        self.orders.clone()
    }
}

/// What is looked for again, and how often it was.
struct Again {
    settings: Wanted,
    tries: u32,
}

fn work(orders: &Receiver<Order>) {
    let mut again: Option<Again> = None;
    loop {
        let order = match &again {
            Some(_) => orders.recv_timeout(CONTROLS_RETRY_INTERVAL),
            None => orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match order {
            Ok(Order::Restore { sources, settings, reset }) => {
                reset.iter().for_each(|control| give_default(&sources, control));
                again = restore(settings, 1);
            }
            // What was answered as not done must not be done later.
            Ok(Order::Answer { until, .. }) if Instant::now() >= until => {}
            Ok(Order::Answer { sources, question, answer, .. }) => {
                // Nobody waits any more when it took too long.
                let _ = answer.send(carry_out(&sources, &question));
            }
            Err(RecvTimeoutError::Timeout) => {
                again = again.and_then(|Again { settings, tries }| restore(settings, tries + 1));
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn restore(settings: Wanted, tries: u32) -> Option<Again> {
    let mut is_missing = false;
    for (of, settings) in settings.iter().filter(|(_, settings)| !settings.is_empty()) {
        is_missing |= !restore_device_controls(*of, settings).is_empty();
    }
    (is_missing && tries < CONTROLS_TRIES_MAX).then_some(Again { settings, tries })
}

fn give_default(sources: &ControlledSources, name: &ControlName) {
    let which = WhichDevice { of: name.of, sources, named: Some(&name.device) };
    match set_device_control(which, &name.control, None, &[]) {
        // It has its default when it is plugged in.
        Ok(_) | Err(ControlsError::NotConnected(_)) => {}
        Err(error) => tracing::warn!(%error, "{} keeps its value", name.control),
    }
}

fn carry_out(sources: &ControlledSources, question: &ControlOrder) -> JobResult {
    let of = question.of();
    let set_of = |WasSet { device, name, control, outcome, tables }| ControlSet {
        name: ControlName { of, device, control },
        product: name,
        value: outcome.value,
        note: outcome.note,
        tables,
    };
    match question {
        ControlOrder::List { .. } => {
            match device_controls(WhichDevice { of, sources, named: None }) {
                Ok(controls) => JobResult::Controls(controls),
                Err(error) => JobResult::Failed(error.to_string()),
            }
        }
        ControlOrder::Set { device, control, value, tables, .. } => {
            let which = WhichDevice { of, sources, named: device.as_deref() };
            match set_device_control(which, control, Some(value), tables) {
                Ok(set) => JobResult::ControlSet(set_of(set)),
                Err(error) => JobResult::Failed(error.to_string()),
            }
        }
        ControlOrder::Reset { device, control, to, tables, .. } => {
            let which = WhichDevice { of, sources, named: device.as_deref() };
            let WasReset { tables, outcome } =
                reset_device_control(which, control, to.as_ref(), tables);
            JobResult::ControlReset(ControlReset { tables, outcome: outcome.map(set_of) })
        }
    }
}

/// What is known without the device.
fn no_answer(sources: &ControlledSources, question: &ControlOrder) -> JobResult {
    let of = question.of();
    let why = format!("the {}: {HANGS}", of.word());
    match question {
        ControlOrder::Reset { device, tables, .. } => {
            let which = WhichDevice { of, sources, named: device.as_deref() };
            let tables = tables_of_absent_device(which, tables);
            JobResult::ControlReset(ControlReset { tables, outcome: Err(why) })
        }
        ControlOrder::List { .. } | ControlOrder::Set { .. } => JobResult::Failed(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::{CameraSource, MicrophoneSource};
    use crate::config::merge;
    use crate::device_controls::ControlValue;

    #[test]
    fn an_absent_device_is_answered_and_its_settings_can_be_removed() {
        let mut thread = DeviceControlsThread::default();
        let sources = ControlledSources {
            camera: CameraSource::TestPattern,
            microphone: MicrophoneSource::Tone,
        };
        for of in ControlsOf::ALL {
            let device = Some("usb:99-9".to_owned());
            let control = "gain".to_owned();
            let value = ControlValue::Number(7);
            let set = ControlOrder::Set {
                of,
                device: device.clone(),
                control,
                value,
                tables: Vec::new(),
            };
            let answer = thread.answer(sources.clone(), set)();
            let JobResult::Failed(why) = answer else { panic!("{answer:?}") };
            assert_eq!(why, format!("the {} (usb:99-9) is not connected", of.word()));
            let tables = ["auto", "usb:99-9", "usb:99-8"].map(str::to_owned).to_vec();
            let control = "gain".to_owned();
            let reset = ControlOrder::Reset { of, device, control, to: None, tables };
            let reset_to = |tables: &[&str], why: &str| {
                let tables = tables.iter().copied().map(str::to_owned).collect();
                let outcome = Err(format!("the {}{why}", of.word()));
                format!("{:?}", JobResult::ControlReset(ControlReset { tables, outcome }))
            };
            let answer = format!("{:?}", thread.answer(sources.clone(), reset.clone())());
            assert_eq!(answer, reset_to(&["usb:99-9"], " (usb:99-9) is not connected"));
            let hanging = format!("{:?}", no_answer(&sources, &reset));
            assert_eq!(hanging, reset_to(&["usb:99-9"], ": its driver does not respond"));
            thread.restore(sources.clone(), &merge(&[]), Vec::new());
            let answer = thread.answer(sources.clone(), ControlOrder::List { of })();
            let JobResult::Failed(why) = answer else { panic!("{answer:?}") };
            assert!(why.contains("which has no controls here"), "{why}");
        }
    }

    // Shows F70.
    #[test]
    fn a_driver_that_hangs_is_answered_for_in_time_and_orders_do_not_pile_up() {
        let (orders, _never_read) = sync_channel(2);
        let mut thread =
            DeviceControlsThread { orders: Some(orders), patience: Duration::from_millis(20) };
        let sources = ControlledSources {
            camera: CameraSource::TestPattern,
            microphone: MicrophoneSource::Tone,
        };
        for of in [ControlsOf::Camera, ControlsOf::Microphone, ControlsOf::Camera] {
            let answer = thread.answer(sources.clone(), ControlOrder::List { of })();
            let JobResult::Failed(why) = answer else { panic!("{answer:?}") };
            assert_eq!(why, format!("the {}: its driver does not respond", of.word()));
            thread.restore(sources.clone(), &merge(&[]), Vec::new());
        }
    }

    #[test]
    fn an_order_that_was_answered_as_not_done_is_not_carried_out_later() {
        let (orders, received) = sync_channel(2);
        let ask = |until| {
            let sources = ControlledSources {
                camera: CameraSource::TestPattern,
                microphone: MicrophoneSource::Tone,
            };
            let question = ControlOrder::List { of: ControlsOf::Camera };
            let (answer, answered) = sync_channel(1);
            orders.try_send(Order::Answer { sources, question, answer, until }).expect("room");
            answered
        };
        let late = ask(Instant::now());
        let in_time = ask(Instant::now() + CONTROLS_PATIENCE);
        drop(orders);
        work(&received);
        assert!(late.recv().is_err());
        assert!(in_time.recv().is_ok());
    }

    #[test]
    fn a_device_that_is_not_there_yet_is_looked_for_a_few_times() {
        let device = |name: &str| {
            let gain = [("gain".to_owned(), ControlValue::Number(7))];
            ControlSettings::from([(name.to_owned(), gain.into())])
        };
        let none = || (ControlsOf::Microphone, ControlSettings::new());
        let absent = || [(ControlsOf::Camera, device("usb:99-9")), none()];
        let again = (1..CONTROLS_TRIES_MAX).map(|tries| restore(absent(), tries));
        assert!(again.into_iter().all(|again| again.is_some()));
        assert!(restore(absent(), CONTROLS_TRIES_MAX).is_none());
        assert!(restore([(ControlsOf::Camera, ControlSettings::new()), none()], 1).is_none());
    }
}

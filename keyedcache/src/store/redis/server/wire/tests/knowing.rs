//! What is asked for, and who is told what, where the server tells of changes: by a script, in every
//! order in which pushes and replies can come.

use tokio::io::AsyncWriteExt;

use super::*;

const RECORD: &str = "k";
const LEASE: &str = "{k}:lease";
const ONE: &str = "{one}:generation";
const TWO: &str = "{two}:generation";

/// A connection whose server says what the test says.
struct Scene {
    wire: Arc<Wire>,
    driving: Driving,
    server: DuplexStream,
}

type Reading = Pin<Box<dyn Future<Output = Option<Texts>>>>;

impl Scene {
    fn begin() -> Self {
        let (stream, server) = duplex(100_000);
        let (wire, driver) = Wire::with_driver(stream, BytesMut::new(), 10, true);
        let driving = Box::pin(async { driver.drive().await.unwrap_or_default() });
        Self { wire: Arc::new(wire), driving, server }
    }

    /// One that knows both generations.
    fn knowing() -> Self {
        let mut scene = Self::begin();
        let mut reading = scene.read();
        scene.is_asked_for_all();
        scene.says(&[OK, &texts(&["g1", "g2"]), &texts(&["r", "-"])]);
        assert_eq!(answer(&mut reading), Some(found("r", "g1", "g2")));
        drop(reading);
        scene
    }

    /// Begins to read a record under two generations.
    fn read(&self) -> Reading {
        self.read_all(&[RECORD, LEASE, ONE, TWO])
    }

    fn read_all(&self, names: &[&str]) -> Reading {
        let wire = Arc::clone(&self.wire);
        let names: Vec<_> = names.iter().copied().map(str::to_owned).collect();
        let mut reading: Reading = Box::pin(async move { wire.read(&names).await });
        assert!(reading.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        reading
    }

    /// Lets the driver do what it can.
    fn drive(&mut self) {
        for _ in 0..3 {
            let _ = self.driving.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        }
    }

    fn says(&mut self, words: &[&str]) {
        let all = words.concat();
        let mut context = Context::from_waker(Waker::noop());
        assert!(pin!(self.server.write_all(all.as_bytes())).poll(&mut context).is_ready());
        self.drive();
    }

    /// What has been sent, as the words of each command.
    fn sent(&mut self) -> Vec<String> {
        self.drive();
        let mut sent = BytesMut::new();
        while fill(&mut self.server, &mut sent, &mut Context::from_waker(Waker::noop())).is_ready()
        {
        }
        let mut commands = Vec::new();
        while let Some(reply::Reply::Texts(words)) = reply::take(&mut sent).unwrap() {
            let words = words.iter().flatten().map(|word| String::from_utf8_lossy(word));
            commands.push(words.collect::<Vec<_>>().join(" "));
        }
        commands
    }

    fn is_asked_for_all(&mut self) {
        let all = ["CLIENT CACHING YES", &format!("MGET {ONE} {TWO}"), "MGET k {k}:lease"];
        assert_eq!(self.sent(), all);
    }

    fn is_asked_for_content(&mut self) {
        assert_eq!(self.sent(), ["MGET k {k}:lease"]);
    }
}

const OK: &str = "+OK\r\n";
const REFUSED: &str = "-NOPERM no\r\n";

/// A reply to `MGET`; `-` is nothing.
fn texts(texts: &[&str]) -> String {
    let text = |text: &&str| match *text {
        "-" => "_\r\n".to_owned(),
        text => format!("${}\r\n{text}\r\n", text.len()),
    };
    format!("*{}\r\n{}", texts.len(), texts.iter().map(text).collect::<String>())
}

fn changed(name: &str) -> String {
    format!(">2\r\n$10\r\ninvalidate\r\n{}", texts(&[name]))
}

fn found(record: &'static str, one: &'static str, two: &'static str) -> Texts {
    let text = |text: &'static str| Some(bytes::Bytes::from_static(text.as_bytes()));
    vec![text(record), None, text(one), text(two)]
}

fn answer(reading: &mut Reading) -> Option<Texts> {
    match reading.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("it is not answered"),
    }
}

fn is_waiting(reading: &mut Reading) -> bool {
    reading.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending()
}

#[test]
fn what_is_known_is_not_asked_for() {
    let mut scene = Scene::knowing();
    for record in ["r", "s"] {
        let mut reading = scene.read();
        scene.is_asked_for_content();
        scene.says(&[&texts(&[record, "-"])]);
        assert_eq!(answer(&mut reading), Some(found(record, "g1", "g2")));
    }
}

#[test]
fn change_that_is_told_before_the_reply_is_asked_for() {
    for push in [changed(TWO), ">2\r\n$10\r\ninvalidate\r\n_\r\n".to_owned()] {
        let mut scene = Scene::knowing();
        let mut reading = scene.read();
        scene.is_asked_for_content();
        scene.says(&[&push, &texts(&["r", "-"])]);
        assert!(is_waiting(&mut reading));
        scene.is_asked_for_all();
        scene.says(&[OK, &texts(&["g1", "h2"]), &texts(&["s", "-"])]);
        assert_eq!(answer(&mut reading), Some(found("s", "g1", "h2")));
        let _reading = scene.read();
        scene.is_asked_for_content();
    }
}

#[test]
fn change_that_is_told_after_the_reply_concerns_who_comes_later() {
    let mut scene = Scene::knowing();
    let mut reading = scene.read();
    scene.is_asked_for_content();
    scene.says(&[&texts(&["r", "-"]), &changed(ONE)]);
    assert_eq!(answer(&mut reading), Some(found("r", "g1", "g2")));
    let _later = scene.read();
    scene.is_asked_for_all();
}

#[test]
fn changes_of_others_are_no_reason_to_ask_again() {
    let mut scene = Scene::knowing();
    let mut reading = scene.read();
    scene.says(&[&changed("{three}:generation"), &texts(&["r", "-"])]);
    assert_eq!(answer(&mut reading), Some(found("r", "g1", "g2")));
    let _later = scene.read();
    assert_eq!(scene.sent(), ["MGET k {k}:lease"; 2]);
}

#[test]
fn change_within_the_replies_to_one_reader_is_told_to_the_next() {
    let mut scene = Scene::begin();
    let mut reading = scene.read();
    scene.is_asked_for_all();
    scene.says(&[OK, &texts(&["g1", "g2"])]);
    scene.says(&[&changed(ONE)]);
    assert!(is_waiting(&mut reading));
    scene.says(&[&texts(&["r", "-"])]);
    assert_eq!(answer(&mut reading), Some(found("r", "g1", "g2")), "it stood after the read began");
    let mut next = scene.read();
    scene.is_asked_for_all();
    // Before what it fetches is known, a change is one of before.
    scene.says(&[&changed(ONE), OK, &changed(TWO), &texts(&["h1", "h2"]), &texts(&["r", "-"])]);
    assert_eq!(answer(&mut next), Some(found("r", "h1", "h2")));
    let _later = scene.read();
    scene.is_asked_for_content();
}

#[test]
fn readers_that_fetch_at_once_are_each_told_their_own_and_the_last_is_remembered() {
    let mut scene = Scene::begin();
    let mut readings = [scene.read(), scene.read()];
    assert_eq!(scene.sent().len(), 6);
    scene.says(&[OK, &texts(&["g1", "g2"]), &texts(&["r", "-"]), &changed(ONE), OK]);
    scene.says(&[&texts(&["h1", "g2"]), &texts(&["s", "-"])]);
    assert_eq!(answer(&mut readings[0]), Some(found("r", "g1", "g2")));
    assert_eq!(answer(&mut readings[1]), Some(found("s", "h1", "g2")));
    let mut next = scene.read();
    scene.is_asked_for_content();
    scene.says(&[&texts(&["t", "-"])]);
    assert_eq!(answer(&mut next), Some(found("t", "h1", "g2")));
}

#[test]
fn what_is_absent_is_asked_for_each_time() {
    let mut scene = Scene::begin();
    for _ in 0..3 {
        let mut reading = scene.read();
        scene.is_asked_for_all();
        scene.says(&[OK, &texts(&["g1", "-"]), &texts(&["r", "-"])]);
        let mut expected = found("r", "g1", "");
        expected[3] = None;
        assert_eq!(answer(&mut reading), Some(expected));
    }
}

#[test]
fn reader_that_gives_up_between_its_replies_takes_nobody_elses() {
    for replies in 0..3 {
        let mut scene = Scene::begin();
        let given_up = scene.read();
        let mut other = scene.read();
        scene.drive();
        let all = [OK.to_owned(), texts(&["g1", "g2"]), texts(&["r", "-"])];
        for reply in &all[..replies] {
            scene.says(&[reply]);
        }
        drop(given_up);
        for reply in &all[replies..] {
            scene.says(&[reply]);
        }
        assert!(is_waiting(&mut other));
        scene.says(&[OK, &texts(&["g1", "g2"]), &texts(&["s", "-"])]);
        assert_eq!(answer(&mut other), Some(found("s", "g1", "g2")));
    }
}

#[test]
fn end_of_the_connection_between_replies_is_told() {
    for replies in 0..3 {
        let mut scene = Scene::begin();
        let mut reading = scene.read();
        scene.drive();
        scene.says(&[OK, &texts(&["g1", "g2"])][..replies]);
        let Scene { server, driving, wire } = &mut scene;
        *server = duplex(1).0;
        assert!(driving.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
        *driving = Box::pin(std::future::pending());
        assert!(wire.line.state.lock().is_over);
        assert_eq!(answer(&mut reading), None);
    }
}

#[test]
fn where_caching_is_refused_all_is_asked_for_from_then_on() {
    let mut scene = Scene::knowing();
    scene.says(&[&changed(ONE)]);
    let mut readings = [scene.read(), scene.read()];
    assert_eq!(scene.sent().len(), 6);
    scene.says(&[REFUSED, &texts(&["g1", "g2"]), &texts(&["r", "-"])]);
    assert_eq!(answer(&mut readings[0]), Some(found("r", "g1", "g2")));
    scene.says(&[REFUSED, &texts(&["g1", "h2"]), &texts(&["s", "-"])]);
    assert_eq!(answer(&mut readings[1]), Some(found("s", "g1", "h2")));
    let mut next = scene.read();
    assert_eq!(scene.sent(), [format!("MGET k {{k}}:lease {ONE} {TWO}")]);
    scene.says(&[&texts(&["r", "-", "h1", "h2"])]);
    assert_eq!(answer(&mut next), Some(found("r", "h1", "h2")));
}

#[test]
fn where_caching_is_refused_who_relied_on_what_was_known_asks_again() {
    let mut scene = Scene::knowing();
    let mut readings =
        [scene.read_all(&[RECORD, "{three}:generation"]), scene.read_all(&[RECORD, ONE])];
    assert_eq!(scene.sent().len(), 4);
    scene.says(&[REFUSED, &texts(&["g3"]), &texts(&["r"]), &texts(&["r"])]);
    assert!(answer(&mut readings[0]).is_some());
    assert!(is_waiting(&mut readings[1]));
    assert_eq!(scene.sent(), [format!("MGET k {ONE}")]);
}

#[test]
fn refusal_is_told_and_nothing_is_remembered_of_it() {
    for replies in [[REFUSED, "*2\r\n_\r\n_\r\n"], ["*2\r\n$1\r\ng\r\n$1\r\ng\r\n", REFUSED]] {
        let mut scene = Scene::begin();
        let mut reading = scene.read();
        scene.drive();
        scene.says(&[OK, replies[0], replies[1]]);
        assert_eq!(answer(&mut reading), None);
    }
    let mut scene = Scene::begin();
    let _reading = scene.read();
    scene.is_asked_for_all();
    scene.says(&[OK, REFUSED, REFUSED]);
    let _next = scene.read();
    scene.is_asked_for_all();
}

#[test]
fn scopes_alone_are_read_as_anything_else() {
    let mut scene = Scene::knowing();
    let mut reading = scene.read_all(&[ONE]);
    assert_eq!(scene.sent(), [format!("MGET {ONE}")]);
    scene.says(&[&texts(&["g1"])]);
    assert_eq!(answer(&mut reading), Some(vec![Some("g1".into())]));
}

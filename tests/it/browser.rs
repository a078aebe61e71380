//! A real browser: Debian's Chromium, which is told what to do by the Chrome DevTools Protocol.
//!
//! The protocol is spoken on a pipe, in JSON, each message with a NUL at its end
//! (`--remote-debugging-pipe`). So a test needs no driver between itself and the browser. There is
//! one browser for all tests, and each test has it for itself, with a profile of its own.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::run::{DEADLINE, run, skip};

/// The connection with the browser, which ends when this is closed.
struct Browser {
    input: ChildStdin,
    messages: Receiver<Value>,
    last_id: u64,
}

/// The browser of all tests. `None`: there is none on this machine.
static BROWSER: OnceLock<Option<Mutex<Browser>>> = OnceLock::new();

/// One tab, in a profile that nobody else has.
pub struct Tab {
    browser: MutexGuard<'static, Browser>,
    context: Value,
    session: Value,
    /// What the console of the tab has shown: errors, warnings, reports of a violated policy.
    pub complaints: Vec<String>,
}

impl Browser {
    fn start() -> Option<Self> {
        let program = "/usr/bin/chromium";
        if !Path::new(program).exists() {
            return None;
        }
        // The browser reads from descriptor 3 and writes to descriptor 4.
        let script = "d=$(mktemp -d) && trap 'rm -rf \"$d\"' EXIT && \
            \"$@\" --user-data-dir=\"$d\" 3<&0 4>&1 </dev/null >/dev/null 2>&1";
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh", program]).args([
            "--headless",
            "--remote-debugging-pipe",
            "--disable-background-networking",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--force-device-scale-factor=1",
            "--hide-scrollbars",
            "--no-first-run",
            "--no-proxy-server",
        ]);
        if nix::unistd::geteuid().is_root() {
            command.arg("--no-sandbox");
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let input = process.stdin.take().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            for message in output.split(0).map_while(Result::ok) {
                if sender
                    .send(serde_json::from_slice(&message).unwrap())
                    .is_err()
                {
                    break;
                }
            }
            process.wait()
        });
        Some(Self {
            input,
            messages,
            last_id: 0,
        })
    }
}

impl Tab {
    /// Opens a tab, when no other test has one. `None`: there is no browser here, and the test is
    /// left out.
    #[track_caller]
    pub fn open() -> Option<Self> {
        let browser = BROWSER.get_or_init(|| Browser::start().map(Mutex::new));
        let Some(browser) = browser else {
            skip("there is no /usr/bin/chromium (Debian's package chromium)");
            return None;
        };
        // A test that failed leaves nothing behind but its profile.
        let browser = browser.lock().unwrap_or_else(PoisonError::into_inner);
        let (context, session) = (Value::Null, Value::Null);
        let mut tab = Self {
            browser,
            context,
            session,
            complaints: Vec::new(),
        };
        tab.context = tab.call("Target.createBrowserContext", json!({}))["browserContextId"].take();
        let target = json!({"url": "about:blank", "browserContextId": tab.context});
        let target = tab.call("Target.createTarget", target)["targetId"].take();
        let attach = json!({"targetId": target, "flatten": true});
        tab.session = tab.call("Target.attachToTarget", attach)["sessionId"].take();
        for domain in ["Page", "Runtime", "Log"] {
            tab.call(&format!("{domain}.enable"), json!({}));
        }
        tab.call(
            "Emulation.setFocusEmulationEnabled",
            json!({"enabled": true}),
        );
        Some(tab)
    }

    /// Calls a method of the protocol, and returns its result.
    #[track_caller]
    pub fn call(&mut self, method: &str, parameters: Value) -> Value {
        let answer = self.try_call(method, &parameters);
        answer.unwrap_or_else(|error| panic!("{method} {parameters}: {error}"))
    }

    fn try_call(&mut self, method: &str, parameters: &Value) -> Result<Value, String> {
        self.browser.last_id += 1;
        let id = self.browser.last_id;
        let mut message = json!({"id": id, "method": method, "params": parameters});
        if !self.session.is_null() {
            message["sessionId"] = self.session.clone();
        }
        let message = format!("{message}\0");
        let sent = self.browser.input.write_all(message.as_bytes());
        sent.map_err(|error| error.to_string())?;

        let end = Instant::now() + DEADLINE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let next = self.browser.messages.recv_timeout(left);
            let mut message = next.map_err(|error| error.to_string())?;
            if message["id"] == id {
                return match message["error"]["message"].as_str() {
                    Some(error) => Err(error.to_owned()),
                    None => Ok(message["result"].take()),
                };
            }
            if message["sessionId"] == self.session {
                self.complaints.extend(complaint(&message));
            }
        }
    }

    /// The value of an expression in the page. A promise is waited for.
    #[track_caller]
    pub fn value(&mut self, expression: &str) -> Value {
        let value = self.try_value(expression);
        value.unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    fn try_value(&mut self, expression: &str) -> Result<Value, String> {
        let parameters =
            json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let mut answer = self.try_call("Runtime.evaluate", &parameters)?;
        match answer.get("exceptionDetails") {
            Some(fault) => Err(fault.to_string()),
            None => Ok(answer["result"]["value"].take()),
        }
    }

    /// Waits until an expression is true in the page, also where another page comes meanwhile.
    #[track_caller]
    pub fn until(&mut self, expression: &str) {
        let end = Instant::now() + DEADLINE;
        loop {
            // The answer of a page that goes away is an error.
            let seen = self.try_value(expression);
            if seen == Ok(Value::Bool(true)) {
                return;
            }
            if Instant::now() > end {
                let body = self.try_value("location.href + '\\n' + document.body.innerText");
                panic!("not true in time, but {seen:?}: {expression}\n{body:?}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Loads a page.
    #[track_caller]
    pub fn go(&mut self, url: &str) {
        let answer = self.call("Page.navigate", json!({"url": url}));
        assert_eq!(answer["errorText"], Value::Null, "{url}");
        self.until("document.readyState === 'complete'");
    }

    /// Presses a key, and lets it go.
    pub fn press(&mut self, key: &str) {
        let (code, text) = match key {
            "Tab" => (9, ""),
            "Enter" => (13, "\r"),
            key => panic!("{key}"),
        };
        for (kind, text) in [("keyDown", text), ("keyUp", "")] {
            let event = json!({"type": kind, "key": key, "code": key, "text": text,
                "windowsVirtualKeyCode": code});
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    /// Types text where the focus is.
    pub fn type_text(&mut self, text: &str) {
        self.call("Input.insertText", json!({"text": text}));
    }

    /// Sets the size of the window, in pixels.
    pub fn resize(&mut self, width: u32, height: u32) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1,
            "mobile": false});
        self.call("Emulation.setDeviceMetricsOverride", size);
    }

    /// Sets what the reader prefers: the features of media queries, and their values.
    pub fn prefer(&mut self, features: &[(&str, &str)]) {
        let feature = |(name, value): &(&str, &str)| json!({"name": name, "value": value});
        let features: Vec<Value> = features.iter().map(feature).collect();
        self.call("Emulation.setEmulatedMedia", json!({"features": features}));
    }

    /// Writes a picture of the whole page, as wide as the window, to a file, as PNG.
    pub fn screenshot(&mut self, file: &Path) {
        let size = self.value("[innerWidth, document.documentElement.scrollHeight]");
        let clip = json!({"x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1});
        let what = json!({"format": "png", "optimizeForSpeed": true,
            "captureBeyondViewport": true, "clip": clip});
        let picture = self.call("Page.captureScreenshot", what);
        let mut decode = Command::new("sh");
        decode.args(["-c", "base64 -d >\"$0\""]).arg(file);
        run(&mut decode, picture["data"].as_str().unwrap().as_bytes()).ok();
    }
}

impl Drop for Tab {
    fn drop(&mut self) {
        self.session = Value::Null;
        let context = json!({"browserContextId": self.context});
        // The next test can do without it.
        let _ = self.try_call("Target.disposeBrowserContext", &context);
    }
}

/// What an event says that should not have happened; `None`: nothing.
fn complaint(event: &Value) -> Option<String> {
    let is_bad = match event["method"].as_str()? {
        "Runtime.exceptionThrown" => true,
        "Runtime.consoleAPICalled" => event["params"]["type"] != "log",
        "Log.entryAdded" => event["params"]["entry"]["level"] != "verbose",
        _ => false,
    };
    is_bad.then(|| event["params"].to_string())
}

/// The source of axe-core, which finds what keeps people from using a page. `None`: it can't be had
/// here, and the test is left out.
pub fn axe() -> Option<&'static str> {
    static SOURCE: OnceLock<Option<String>> = OnceLock::new();
    let source = SOURCE.get_or_init(|| {
        let folder = concat!(env!("CARGO_TARGET_TMPDIR"), "/npm");
        let lock = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/npm");
        let script = "\
            mkdir -p \"$1\" && cd \"$1\" &&\n\
            { cmp -s \"$0/package-lock.json\" package-lock.json && test -d node_modules; } || {\n\
              cp \"$0/package.json\" \"$0/package-lock.json\" . &&\n\
              { npm ci --ignore-scripts --no-audit --no-fund --silent ||\n\
                { rm -rf node_modules; false; }; }\n\
            }";
        // npm may need the machine's settings: a proxy, a mirror.
        let made = run(Command::new("sh").args(["-c", script, lock, folder]), b"");
        if made.code == Some(0) {
            let file = format!("{folder}/node_modules/axe-core/axe.min.js");
            return Some(std::fs::read_to_string(file).unwrap());
        }
        skip(&format!("axe-core can't be installed with npm: {made:?}"));
        None
    });
    source.as_deref()
}

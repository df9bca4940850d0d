//! Cases made from a seed. The same seed and number always give the same case.
//! Most get through to a command; mistakes of every kind are mixed in.

use crate::case::{Access, Answer, Case, Device, STANDARD_INQUIRY, Trigger};
use crate::options::{FLAGS, WITH_ARGUMENT, expand, long_names};

/// splitmix64: small, and good enough to choose cases.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`.
    fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit.max(1)).unwrap_or(1);
        usize::try_from(self.next() % limit).unwrap_or_default()
    }

    /// True once in `times`.
    fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.byte()).collect()
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// The case of this number under this seed.
pub(crate) fn case(seed: u64, number: u64) -> Case {
    let mut start = Random(seed ^ number.wrapping_mul(0xd6e8_feb8_6659_fd93));
    let mut maker = Maker {
        random: Random(start.next()),
        case: Case::new(&format!("generated {seed}/{number}")),
        options: Vec::new(),
    };
    maker.make();
    maker.case
}

struct Maker {
    random: Random,
    case: Case,
    /// Letter and argument, to be spelt in the end.
    options: Vec<(u8, Option<Vec<u8>>)>,
}

const PRIN: &[u8] = b"krcs";
const PROUT: &[u8] = b"GRLCPAIMz";

impl Maker {
    fn make(&mut self) {
        match self.random.below(100) {
            0..44 => self.prin(),
            44..80 => self.prout(),
            80..88 => self.numbers(),
            88..94 => self.any_options(),
            _ => {
                self.prin();
                self.mistakes();
            }
        }
        self.surroundings();
        self.spell();
    }

    fn flag(&mut self, letter: u8) {
        self.options.push((letter, None));
    }

    fn value(&mut self, letter: u8, value: impl Into<Vec<u8>>) {
        self.options.push((letter, Some(value.into())));
    }

    fn common(&mut self) {
        if !self.random.one_in(4) {
            self.flag(b'n');
        }
        if self.random.one_in(5) {
            for _ in 0..=self.random.below(2) {
                self.flag(b'y');
            }
        }
        if self.random.one_in(3) {
            for _ in 0..=self.random.below(6) {
                self.flag(b'v');
            }
        }
    }

    fn prin(&mut self) {
        self.common();
        let letter = self.random.pick(PRIN);
        if letter != b'k' || !self.random.one_in(8) {
            self.flag(letter);
        }
        if self.random.one_in(2) {
            self.flag(b'i');
        }
        if self.random.one_in(5) {
            for _ in 0..=self.random.below(4) {
                self.flag(b'H');
            }
        }
        if self.random.one_in(8) {
            self.length();
        }
        if self.random.one_in(25) {
            let id = self.transport_id_argument();
            self.value(b'X', id);
        }
        let action = match letter {
            b'k' => 0,
            b'r' => 1,
            b'c' => 2,
            _ => 3,
        };
        let trigger = Trigger::Command(0x5e, (!self.random.one_in(10)).then_some(action));
        let mut answer = Answer::good(trigger);
        let complete = !self.random.one_in(14);
        answer.data = match action {
            0 => self.key_list(),
            1 => self.reservation(),
            2 => self.capabilities(),
            _ => self.full_status(),
        };
        if !complete {
            self.damage(&mut answer);
        }
        if self.random.one_in(4) {
            self.failure(&mut answer);
        }
        self.case.answers.push(answer);
    }

    fn prout(&mut self) {
        self.common();
        let letter = self.random.pick(PROUT);
        self.flag(letter);
        self.flag(b'o');
        for letter in [b'K', b'S'] {
            if !self.random.one_in(3) {
                let key = self.key();
                self.value(letter, key);
            }
        }
        if self.random.one_in(2) {
            let kind = format!("{:x}", self.random.below(16));
            self.value(b'T', kind);
        }
        for letter in [b'Y', b'Z'] {
            if self.random.one_in(4) {
                self.flag(letter);
            }
        }
        if letter == b'M' {
            let id = self.transport_id_argument();
            self.value(b'X', id);
            if self.random.one_in(2) {
                let port = format!("{:x}", self.random.below(0x1_0000));
                self.value(b'Q', port);
            }
            if self.random.one_in(3) {
                self.flag(b'U');
            }
        } else if self.random.one_in(3) {
            for _ in 0..=usize::from(self.random.one_in(12)) {
                let id = self.transport_id_argument();
                self.value(b'X', id);
            }
        } else if self.random.one_in(40) {
            self.flag(b'U');
        }
        if self.random.one_in(20) {
            self.length();
        }
        let mut answer = Answer::good(Trigger::Command(0x5f, None));
        if self.random.one_in(3) {
            self.failure(&mut answer);
        }
        if self.random.one_in(30) {
            answer.resid = Some(8);
        }
        self.case.answers.push(answer);
    }

    /// Every grammar of numbers, right and wrong.
    fn numbers(&mut self) {
        self.flag(b'n');
        let letter = self.random.pick(b"KSTQllmmmm");
        let text = self.number(letter);
        match letter {
            b'l' | b'm' => {
                self.flag(b'k');
                let mut answer = Answer::good(Trigger::Command(0x5e, None));
                answer.data = self.key_list();
                if self.random.one_in(2) {
                    answer.data = vec![0, 0, 0, 9, 0, 0, 0, 0];
                }
                self.case.answers.push(answer);
            }
            _ => {
                self.flag(b'o');
                let action = if letter == b'Q' {
                    b'M'
                } else {
                    self.random.pick(b"GRP")
                };
                self.flag(action);
                if action == b'M' {
                    self.value(b'X', "sas,5000c50005b32001");
                }
                self.case
                    .answers
                    .push(Answer::good(Trigger::Command(0x5f, None)));
            }
        }
        self.value(letter, text);
    }

    fn number(&mut self, letter: u8) -> Vec<u8> {
        if letter == b'm' {
            return self.maxlen(3).into_bytes();
        }
        let mut digits = format!("{:x}", self.random.next() >> self.random.below(64));
        let places = match letter {
            b'T' => 1,
            b'Q' => 4,
            b'l' => 3,
            _ => 16,
        };
        if !self.random.one_in(4) {
            digits.truncate(places);
        }
        if self.random.one_in(5) {
            digits.make_ascii_uppercase();
        }
        if self.random.one_in(8) {
            digits = format!("{}{digits}", "0".repeat(self.random.below(20)));
        }
        let prefix = self
            .random
            .pick(&["", "", "", "0x", "0X", "x", "+", "-", "0x0x", "="]);
        let before = self.random.pick(&["", "", "", "", " ", "\t", "\n"]);
        let after = self
            .random
            .pick(&["", "", "", "", "", " ", "h", "xyz", ",1", "g", "\n", "  "]);
        match self.random.below(24) {
            0 => b"".to_vec(),
            1 => self
                .random
                .pick(&["0x", "0xg", "xyz", "--5", " ", "0", "00", "1 2"])
                .into(),
            2 => self
                .random
                .bytes(3)
                .into_iter()
                .filter(|&byte| byte != 0)
                .collect(),
            _ => format!("{before}{prefix}{digits}{after}").into_bytes(),
        }
    }

    /// The grammar of --maxlen: hex, multipliers, sums and products.
    fn maxlen(&mut self, depth: usize) -> String {
        let number = match self.random.below(5) {
            0 => self.random.below(20),
            1 => self.random.below(9000),
            _ => self.random.below(600),
        };
        let mut text = match self.random.below(10) {
            0 => format!("0x{number:x}"),
            1 => format!("0X{number:X}"),
            2 => format!("{number:x}h"),
            3 => format!("0{number}"),
            4 => self
                .random
                .pick(&[
                    "",
                    "-1",
                    "4294967296",
                    "8589934591",
                    "2147483648",
                    "x",
                    "99999999999999999999",
                ])
                .to_owned(),
            _ => number.to_string(),
        };
        if self.random.one_in(3) {
            text.push_str(self.random.pick(&[
                "c", "w", "b", "k", "K", "kib", "kB", "kd", "m", "mib", "MB", "g", "gB", "ki",
                "kx", "z", "h", "H", "cz", "wxy", "kibx", "t", "p", "G", "Ki",
            ]));
        }
        if depth > 0 && self.random.one_in(4) {
            text.push_str(self.random.pick(&["x", "X", "+", "*"]));
            text.push_str(&self.maxlen(depth - 1));
        }
        if self.random.one_in(12) {
            let end = self
                .random
                .pick(&[" ", "\t", ",", "#", "-", "\n", ",5", " 7", "#c", "-3"]);
            text.push_str(end);
        }
        if self.random.one_in(20) {
            text = format!("{}{text}", self.random.pick(&[" ", "\t", "  ", "\n", "+"]));
        }
        text
    }

    fn key(&mut self) -> String {
        let key = self.random.next() >> self.random.below(64);
        match self.random.below(6) {
            0 => format!("0x{key:x}"),
            1 => format!("{key:X}"),
            2 => format!("{key:016x}"),
            3 => "0".to_owned(),
            _ => format!("{key:x}"),
        }
    }

    fn length(&mut self) {
        if self.random.one_in(2) {
            let length = self.random.pick(&[
                "2000", "8", "10", "18", "100", "0", "7", "1000", "200", "40",
            ]);
            self.value(b'l', length);
        } else {
            let length = self.random.pick(&[
                "8192", "8", "16", "24", "1k", "0", "4", "0x100", "256", "20h", "8192",
            ]);
            self.value(b'm', length);
        }
    }

    /// Options of any kind in any number: the order of the checks.
    fn any_options(&mut self) {
        for _ in 0..self.random.below(7) {
            if self.random.one_in(4) {
                let letter = self.random.pick(WITH_ARGUMENT);
                let value = match letter {
                    b'd' => b"DEV".to_vec(),
                    b'X' => self.transport_id_argument(),
                    _ => self.number(letter),
                };
                self.value(letter, value);
            } else {
                let letter = self.random.pick(FLAGS);
                self.flag(letter);
            }
        }
        if self.random.one_in(2) {
            self.flag(b'n');
        }
        let mut answer = Answer::good(Trigger::Command(0x5e, None));
        answer.data = vec![0; 8];
        self.case.answers.push(answer);
        self.case
            .answers
            .push(Answer::good(Trigger::Command(0x5f, None)));
    }

    /// Something that getopt or the checks refuse.
    fn mistakes(&mut self) {
        let word = self.random.pick(&[
            "--x",
            "-x",
            "--re",
            "--read",
            "--rep",
            "--rel",
            "--par",
            "--param",
            "--param-rk",
            "-K",
            "--pre",
            "--ver",
            "--he",
            "--no",
            "--n=1",
            "--in=",
            "-?",
            "-",
            "extra",
            "--",
            "--read-k=5",
            "-nkq",
            "--p",
            "--r",
            "--=",
            "--hexx",
            "-k5",
            "--param_a",
            "--reg=1",
            "--register-",
            "--preempt_",
            "-X",
            "-m",
            "--maxl",
            "--o=x",
            "---n",
            "-nKk",
            "\\",
        ]);
        self.options.push((0, Some(word.into())));
    }

    fn surroundings(&mut self) {
        if self.random.one_in(12) {
            let value = self.random.pick(&["", "1", "0"]);
            self.case
                .env
                .push(("SG_PERSIST_IN_RDONLY".to_owned(), value.into()));
        }
        if self.random.one_in(25) {
            self.case
                .env
                .push(("POSIXLY_CORRECT".to_owned(), b"1".to_vec()));
        }
        if self.random.one_in(25) {
            self.case
                .env
                .push(("SG3_UTILS_INVOCATION".to_owned(), b"".to_vec()));
        }
        if self.random.one_in(20) {
            self.case.program = self
                .random
                .pick(&["/usr/bin/sg_persist", "./x", "persist"])
                .into();
        }
        match self.random.below(60) {
            0 => self.case.device = Device::Missing,
            1 => self.case.device = Device::Directory,
            2 => self.case.device = Device::Null,
            3 => self.case.device = Device::Fifo,
            4 => self.case.device = Device::Socket,
            5 => {
                let mode =
                    self.random
                        .pick(&[None, Some(Access::ReadWrite), Some(Access::ReadOnly)]);
                let mut answer = Answer::good(Trigger::Open(mode));
                answer.errno = self.random.pick(&[1, 2, 6, 13, 16, 19, 30, 123]);
                self.case.answers.push(answer);
            }
            _ => {}
        }
        if self.random.one_in(3) {
            let mut answer = Answer::good(Trigger::Command(0x12, None));
            answer.data = self.inquiry();
            if self.random.one_in(8) {
                self.failure(&mut answer);
            }
            self.case.answers.push(answer);
        }
    }

    fn inquiry(&mut self) -> Vec<u8> {
        let mut data = STANDARD_INQUIRY.to_vec();
        data[0] = self.random.byte();
        if self.random.one_in(2) {
            data[0] &= 0x1f;
        }
        for byte in &mut data[8..36] {
            match self.random.below(30) {
                0 => *byte = 0,
                1 => *byte = self.random.byte(),
                2..6 => *byte = b' ',
                _ => {}
            }
        }
        if self.random.one_in(12) {
            data.truncate(self.random.below(36));
        }
        data
    }

    fn key_list(&mut self) -> Vec<u8> {
        let count = match self.random.below(40) {
            0 => 1000 + self.random.below(60),
            1..5 => self.random.below(200),
            5..10 => 0,
            _ => 1 + self.random.below(5),
        };
        let mut data = self.random.bytes(4);
        let length = u32::try_from(count * 8).unwrap_or_default();
        data.extend(length.to_be_bytes());
        for _ in 0..count {
            let key = self.random.next() >> self.random.below(64);
            data.extend(key.to_be_bytes());
        }
        data
    }

    fn reservation(&mut self) -> Vec<u8> {
        let mut data = self.random.bytes(4);
        let count = self.random.pick(&[0, 0, 1, 1, 1, 1, 1, 1, 2, 3]);
        data.extend((count * 16_u32).to_be_bytes());
        for _ in 0..count {
            let key = self.random.next() >> self.random.below(64);
            data.extend(key.to_be_bytes());
            data.extend(self.random.bytes(8));
            if self.random.one_in(2) {
                let last = data.len() - 3;
                data[last] &= 0x0f;
            }
        }
        data
    }

    fn capabilities(&mut self) -> Vec<u8> {
        let mut data = vec![0, 8];
        data.extend(self.random.bytes(6));
        match self.random.below(20) {
            0 => data[1] = self.random.byte(),
            1 => data[0] = self.random.byte(),
            2 => {
                data[1] = 16;
                data.extend(self.random.bytes(8));
            }
            _ => {}
        }
        data
    }

    fn full_status(&mut self) -> Vec<u8> {
        let count = match self.random.below(30) {
            0 => 30 + self.random.below(200),
            1..5 => 0,
            _ => 1 + self.random.below(4),
        };
        let mut list = Vec::new();
        for _ in 0..count {
            let key = self.random.next() >> self.random.below(64);
            list.extend(key.to_be_bytes());
            list.extend(self.random.bytes(12));
            if self.random.one_in(2) {
                let kind = list.len() - 7;
                list[kind] &= 0x0f;
            }
            let id = self.transport_id();
            list.extend(u32::try_from(id.len()).unwrap_or_default().to_be_bytes());
            list.extend(id);
        }
        let mut data = self.random.bytes(4);
        data.extend(u32::try_from(list.len()).unwrap_or_default().to_be_bytes());
        data.extend(list);
        data
    }

    /// A TransportID as a device may send it.
    fn transport_id(&mut self) -> Vec<u8> {
        let protocol = u8::try_from(self.random.below(16)).unwrap_or_default();
        let format = if self.random.one_in(6) {
            self.random.byte() & 0xf0
        } else {
            0
        };
        if protocol == 5 && format & 0x80 == 0 {
            let mut name = format!("iqn.2005-03.org.example:{:x}", self.random.next());
            match self.random.below(30) {
                0 => name.push_str(&"n".repeat(self.random.below(1500))),
                1 => name.push('\u{1b}'),
                2 => name.clear(),
                _ => {}
            }
            if format & 0x40 != 0 {
                name.push_str(&format!(",i,0x{:012x}", self.random.next() >> 16));
            }
            let mut bytes = name.into_bytes();
            let zeros = if self.random.one_in(10) { 0 } else { 1 };
            let length = (bytes.len() + zeros).max(20).next_multiple_of(4);
            bytes.resize(length, 0);
            let mut id = vec![format | 5, 0];
            id.extend(u16::try_from(length).unwrap_or_default().to_be_bytes());
            id.extend(bytes);
            return id;
        }
        let mut id = vec![0; 24];
        id[0] = format | protocol;
        for byte in &mut id[2..] {
            if self.random.one_in(2) {
                *byte = self.random.byte();
            }
        }
        if protocol == 5 {
            id[2..4].copy_from_slice(&[0, 20]);
        }
        match self.random.below(40) {
            // Still long enough for every field.
            0 => id.resize(25 + self.random.below(12), 0x77),
            1 => id.clear(),
            _ => {}
        }
        id
    }

    /// A TransportID as somebody may type it.
    fn transport_id_argument(&mut self) -> Vec<u8> {
        match self.random.below(8) {
            0 => {
                let content = self.transport_id_file();
                if self.random.one_in(2) {
                    self.case.stdin = Some(content);
                    b"-".to_vec()
                } else {
                    self.case.files = vec![("T".to_owned(), content)];
                    self.random
                        .pick(&["file=T", "FILE=T", "file=T", "file=none", "File=T"])
                        .into()
                }
            }
            _ => self.typed_transport_id(false).into_bytes(),
        }
    }

    fn typed_transport_id(&mut self, quietly: bool) -> String {
        let name = self.random.next();
        let mistake = !quietly && self.random.one_in(8);
        let mut digits = format!("{name:016x}");
        if mistake {
            match self.random.below(5) {
                0 => digits.truncate(15),
                1 => digits.push('a'),
                2 => digits.insert(3, 'g'),
                3 => digits.push_str(" x"),
                _ => digits.push_str("zz"),
            }
        }
        let upper = self.random.one_in(5);
        let head = |lower: &str| {
            if upper {
                lower.to_ascii_uppercase()
            } else {
                lower.to_owned()
            }
        };
        match self.random.below(14) {
            0..3 => format!("{},{digits}", head("sas")),
            3 => format!("{},{digits}", head("fcp")),
            4 => format!("{},{digits}", head("sbp")),
            5 => format!(
                "{},{},{}",
                head("spi"),
                self.random.below(70),
                self.random.below(0x8000)
            ),
            6 | 7 => {
                let mut text = format!("iqn.2003-01.org.example:{name:x}");
                if self.random.one_in(4) {
                    text.push_str(&format!(",i,0x{:x}", name >> 20));
                }
                if self.random.one_in(8) {
                    text.push_str(&"long".repeat(self.random.below(70)));
                }
                if mistake {
                    text.push_str(self.random.pick(&[" x", "\tx", ",", " "]));
                }
                text
            }
            8 if !quietly => {
                let other = self.random.next();
                match self.random.below(6) {
                    0 => format!("{},{name:016x}{other:016x}", head("srp")),
                    1 => format!("{},{:x}", head("sop"), name >> 48),
                    2 => format!("eui.{digits}"),
                    3 => format!("naa.{digits}"),
                    4 => format!("IQN.2003-01.org.example:{name:x}"),
                    _ => format!("{},{digits}", head("srp")),
                }
            }
            _ => self.hex_transport_id(mistake),
        }
    }

    fn hex_transport_id(&mut self, mistake: bool) -> String {
        let protocol = self.random.pick(&[0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 15]);
        let mut bytes = vec![protocol, 0, 0, 0];
        let count = self.random.pick(&[20, 20, 20, 4, 0, 12]);
        bytes.extend(self.random.bytes(count));
        if self.random.one_in(6) {
            let name = format!("iqn.{:x}", self.random.next());
            bytes = vec![5, 0, 0, 20];
            bytes.extend(name.bytes());
            bytes.resize(24, 0);
        }
        if mistake && self.random.one_in(3) {
            bytes.extend(self.random.bytes(4));
        }
        let separator = if self.random.one_in(4) { " " } else { "," };
        let words: Vec<String> = bytes
            .iter()
            .map(|byte| match self.random.below(6) {
                0 => format!("{byte:x}"),
                1 => format!("{byte:02X}"),
                _ => format!("{byte:02x}"),
            })
            .collect();
        let mut text = words.join(separator);
        if mistake {
            match self.random.below(6) {
                0 => text.push(','),
                1 => text.push_str(",100"),
                2 => text.insert(2, 'g'),
                3 => text = text.replacen(',', ", ", 1),
                4 => text = text.replacen(',', ",,", 1),
                _ => text.push('0'),
            }
        }
        text
    }

    fn transport_id_file(&mut self) -> Vec<u8> {
        let mut text = String::new();
        let count = match self.random.below(20) {
            0 => 28 + self.random.below(10),
            1 => 0,
            _ => 1 + self.random.below(3),
        };
        let ending = if self.random.one_in(12) { "\r\n" } else { "\n" };
        for _ in 0..count {
            if self.random.one_in(5) {
                text.push_str(self.random.pick(&[
                    "# comment\n",
                    "\n",
                    "  \t\n",
                    "   # indented\n",
                ]));
            }
            if self.random.one_in(6) {
                text.push_str(self.random.pick(&["  ", "\t", " "]));
            }
            let quietly = !self.random.one_in(10);
            let id = self.typed_transport_id(quietly);
            text.push_str(&id);
            if self.random.one_in(6) {
                text.push_str(self.random.pick(&["  # note", "\t# note", " ", "\t"]));
            }
            text.push_str(ending);
        }
        if self.random.one_in(8) {
            text.pop();
        }
        text.into_bytes()
    }

    /// A response that is not whole.
    fn damage(&mut self, answer: &mut Answer) {
        let length = answer.data.len();
        match self.random.below(6) {
            0 => answer.data.truncate(self.random.below(9)),
            1 => answer.data.truncate(self.random.below(length)),
            2 => {
                let came = self.random.below(length);
                answer.resid = i32::try_from(8192_usize.saturating_sub(came)).ok();
            }
            3 if length > 7 => answer.data[7] = answer.data[7].wrapping_add(self.random.byte()),
            4 if length > 7 => answer.data[4 + self.random.below(3)] = self.random.byte(),
            _ if length > 31 => answer.data[28 + self.random.below(4)] = self.random.byte(),
            _ => answer.data.clear(),
        }
    }

    /// A failure of any layer.
    fn failure(&mut self, answer: &mut Answer) {
        if self.random.one_in(2) {
            answer.data.clear();
        }
        match self.random.below(12) {
            0 => {
                answer.errno = self.random.pick(&[
                    1, 5, 6, 11, 12, 13, 16, 19, 22, 25, 46, 47, 62, 110, 121, 123,
                ])
            }
            1 => answer.host = u16::from(self.random.byte() & 0x1f),
            2 => {
                answer.status = self.random.pick(&[
                    0x04, 0x08, 0x10, 0x14, 0x18, 0x22, 0x28, 0x30, 0x40, 0x19, 0x82, 0x0a, 0x7e,
                ])
            }
            3 if self.random.one_in(3) => answer.driver = u16::from(self.random.byte() & 0x1f),
            3 | 4 => answer.status = 0x18,
            5 if self.random.one_in(4) => {
                answer.host = 0x11;
                answer.status = 0x18;
            }
            _ => {
                answer.status = 2;
                if self.random.one_in(2) {
                    answer.driver = 8;
                }
                if !self.random.one_in(25) {
                    answer.sense = self.sense();
                }
            }
        }
    }

    fn sense(&mut self) -> Vec<u8> {
        let key = u8::try_from(self.random.below(16)).unwrap_or_default();
        let key = if self.random.one_in(3) { 5 } else { key };
        let pair = self.additional_sense();
        if self.random.one_in(20) {
            let length = self.random.below(40);
            return self.random.bytes(length);
        }
        if self.random.one_in(3) {
            self.descriptor_sense(key, pair)
        } else {
            self.fixed_sense(key, pair)
        }
    }

    fn additional_sense(&mut self) -> [u8; 2] {
        match self.random.below(5) {
            0 => self.random.pick(&[
                [0x20, 0],
                [0x24, 0],
                [0x26, 0],
                [0x21, 0],
                [0x04, 0x0b],
                [0x04, 0x0c],
                [0x04, 0x04],
                [0x10, 1],
                [0x26, 4],
                [0x29, 0],
                [0x2a, 3],
                [0x2a, 4],
                [0x2a, 5],
                [0x55, 4],
                [0, 0x1d],
                [0x5d, 0],
                [0x3f, 0x0e],
            ]),
            1 => [self.random.byte(), self.random.byte()],
            _ => [self.random.byte() & 0x7f, self.random.byte() & 0x1f],
        }
    }

    fn fixed_sense(&mut self, key: u8, pair: [u8; 2]) -> Vec<u8> {
        let mut sense = vec![0; 18];
        sense[0] = self.random.pick(&[0x70, 0x70, 0x70, 0xf0, 0x71, 0xf1]);
        sense[2] = key;
        if self.random.one_in(5) {
            sense[2] |= self.random.byte() & 0xf0;
        }
        sense[7] = 10;
        sense[12..14].copy_from_slice(&pair);
        for at in [3, 4, 5, 6, 8, 9, 10, 11, 14, 15, 16, 17] {
            if self.random.one_in(4) {
                sense[at] = self.random.byte();
            }
        }
        match self.random.below(16) {
            0 => sense.truncate(self.random.below(19)),
            1 => sense[7] = self.random.byte(),
            2 => {
                let more = self.random.below(60);
                sense.extend(self.random.bytes(more));
                sense[7] = u8::try_from(sense.len() - 8).unwrap_or_default();
            }
            _ => {}
        }
        sense
    }

    fn descriptor_sense(&mut self, key: u8, pair: [u8; 2]) -> Vec<u8> {
        let code = self.random.pick(&[0x72, 0x72, 0x72, 0x73]);
        let mut sense = vec![code, key, pair[0], pair[1], 0, 0, 0, 0];
        if self.random.one_in(10) {
            sense[4] = 0x80;
        }
        for _ in 0..self.random.below(4) {
            let kind = match self.random.below(8) {
                0 => self.random.byte(),
                1 => 0xde,
                _ => u8::try_from(self.random.below(0x11)).unwrap_or_default(),
            };
            let usual = match kind {
                0 | 1 => 10,
                2 | 0x0a => 6,
                3..=5 => 2,
                9 => 12,
                0x0b => 26,
                0x0c => 20,
                0x0d => 30,
                0x0e => 32,
                0x0f => 6,
                0xde => 6,
                _ => self.random.below(20),
            };
            let length = if self.random.one_in(12) {
                self.random.below(32)
            } else {
                usual
            };
            if sense.len() + length + 2 > 64 {
                break;
            }
            sense.push(kind);
            sense.push(u8::try_from(length).unwrap_or_default());
            let from = sense.len();
            sense.extend(self.random.bytes(length));
            if kind == 0x0c && length > 9 && self.random.one_in(2) {
                // Forwarded sense data that can be read.
                sense[from + 2] = 0x72;
            }
        }
        sense[7] = u8::try_from(sense.len() - 8).unwrap_or_default();
        match self.random.below(20) {
            0 => sense.truncate(self.random.below(sense.len())),
            1 => sense[7] = self.random.byte(),
            _ => {}
        }
        sense
    }

    /// Writes the options down: short or long, abbreviated, clustered, in any order, with the
    /// device as an operand in any place or with -d.
    fn spell(&mut self) {
        let mut options = std::mem::take(&mut self.options);
        for at in (1..options.len()).rev() {
            // The last of several TransportIDs counts: their order is kept.
            let other = self.random.below(at + 1);
            options.swap(at, other);
        }
        let mut words: Vec<Vec<u8>> = Vec::new();
        let mut cluster = false;
        for (letter, value) in options {
            if letter == 0 {
                words.extend(value);
                cluster = false;
                continue;
            }
            let long = self.random.one_in(3);
            if long {
                self.spell_long(&mut words, letter, value);
                cluster = false;
                continue;
            }
            if cluster && self.random.one_in(2) {
                if let Some(word) = words.last_mut() {
                    word.push(letter);
                }
            } else {
                words.push(vec![b'-', letter]);
            }
            cluster = value.is_none();
            if let Some(value) = value {
                match words.last_mut() {
                    Some(word) if !value.is_empty() && self.random.one_in(2) => word.extend(value),
                    _ => words.push(value),
                }
            }
        }
        if !self.random.one_in(40) {
            self.place_device(&mut words);
        }
        self.case.argv = words;
    }

    fn spell_long(&mut self, words: &mut Vec<Vec<u8>>, letter: u8, value: Option<Vec<u8>>) {
        let names = long_names(letter);
        let mut name = self.random.pick(&names).to_owned();
        if self.random.one_in(2) {
            let shortest = (1..=name.len()).find(|&length| {
                name.get(..length)
                    .is_some_and(|part| expand(part) == Some(letter))
            });
            let shortest = shortest.unwrap_or(name.len());
            name.truncate(shortest + self.random.below(name.len() - shortest + 1));
        }
        let mut word = format!("--{name}").into_bytes();
        match value {
            Some(value) if self.random.one_in(2) => {
                words.push(word);
                words.push(value);
            }
            Some(value) => {
                word.push(b'=');
                word.extend(value);
                words.push(word);
            }
            None => words.push(word),
        }
    }

    fn place_device(&mut self, words: &mut Vec<Vec<u8>>) {
        match self.random.below(6) {
            0 => words.push(b"-dDEV".to_vec()),
            1 => words.extend([b"-d".to_vec(), b"DEV".to_vec()]),
            2 => words.push(b"--device=DEV".to_vec()),
            3 => words.insert(0, b"DEV".to_vec()),
            4 => words.extend([b"--".to_vec(), b"DEV".to_vec()]),
            _ => words.push(b"DEV".to_vec()),
        }
    }
}

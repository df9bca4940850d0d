//! A namespace as the specification has it: it keeps keys and a reservation for the hosts that use it.

use std::cell::{RefCell, RefMut};
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use sg_persist::nvme::Command;
use sg_persist::nvme::status::NvmeStatus;
use sg_persist::transport::nvme::Passthrough;
use sg_persist::transport::nvme::translator::Translator;
use sg_persist::transport::{Access, Data, Node, NodeKind, Open, Transport};

use super::controller::{controller, fill, namespace};

const SUCCESS: u16 = 0;
const INVALID_FIELD: u16 = 0x4002;
const CONFLICT: u16 = 0x4083;

/// The identifiers of two hosts.
const HOSTS: [[u8; 16]; 2] = [[0xaa; 16], [0xbb; 16]];

#[derive(Debug, Default)]
pub(crate) struct Namespace {
    generation: u32,
    /// Host and key.
    registrants: Vec<(usize, u64)>,
    /// Type and holder, who is not looked at where all registrants are.
    held: Option<(u8, usize)>,
    pub(crate) persists: bool,
    /// A reservation that nothing can release: a fault.
    pub(crate) keeps: bool,
    /// A host whose entry the reports do not list any more.
    pub(crate) unlisted: Option<usize>,
    /// An entry for another controller of a host.
    pub(crate) second_entry: Option<(usize, u64)>,
    /// Registrations never persist, whatever is asked: a fault.
    pub(crate) always_forgets: bool,
    /// The controller does not tell what this host's identifier is.
    pub(crate) is_silent: bool,
    /// What is wrong with what the reports say of the reservation.
    pub(crate) fault: Option<Fault>,
}

/// How a report contradicts itself about a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    UndefinedType,
    HolderOfNothing,
    SeveralHolders,
}

impl Namespace {
    pub(crate) fn key(&self, host: usize) -> Option<u64> {
        let mut all = self.registrants.iter();
        all.find(|(other, _)| *other == host).map(|(_, key)| *key)
    }

    fn remove(&mut self, host: usize) {
        self.registrants.retain(|(other, _)| *other != host);
        let gone = match self.held {
            Some((5 | 6, _)) => self.registrants.is_empty(),
            Some((_, holder)) => holder == host,
            None => false,
        };
        if gone {
            self.held = None;
        }
    }

    fn holds(&self, host: usize) -> bool {
        match self.held {
            Some((5 | 6, _)) => self.key(host).is_some(),
            Some((_, holder)) => holder == host,
            None => false,
        }
    }

    fn register(&mut self, host: usize, cdw10: u32, [current, new]: [u64; 2]) -> u16 {
        let (action, ignore) = (cdw10 & 7, cdw10 >> 3 & 1 == 1);
        match (action, self.key(host)) {
            (0, None) => self.registrants.push((host, new)),
            (0, Some(key)) if key == new => return SUCCESS,
            (1, Some(key)) if ignore || key == current => self.remove(host),
            (2, Some(key)) if ignore || key == current => {
                let own = self.registrants.iter_mut();
                own.filter(|(other, _)| *other == host)
                    .for_each(|(_, key)| *key = new);
            }
            (0..=2, _) => return CONFLICT,
            _ => return INVALID_FIELD,
        }
        match cdw10 >> 30 {
            0b10 => self.persists = false,
            0b11 => self.persists = true,
            _ => {}
        }
        self.generation += 1;
        SUCCESS
    }

    fn acquire(&mut self, host: usize, cdw10: u32, [current, victim]: [u64; 2]) -> u16 {
        let wanted = u8::try_from(cdw10 >> 8 & 0xff).unwrap();
        if self.key(host) != Some(current) {
            return CONFLICT;
        }
        if cdw10 & 7 == 0 {
            return match self.held {
                None => {
                    self.held = Some((wanted, host));
                    SUCCESS
                }
                Some((held, _)) if held == wanted && self.holds(host) => SUCCESS,
                Some(_) => CONFLICT,
            };
        }
        let all = matches!(self.held, Some((5 | 6, _)));
        if victim == 0 && !all {
            return INVALID_FIELD;
        }
        let victims: Vec<usize> = self
            .registrants
            .iter()
            .filter(|&&(other, key)| key == victim || victim == 0 && other != host)
            .map(|&(other, _)| other)
            .collect();
        if victims.is_empty() {
            return CONFLICT;
        }
        let takes_over = match self.held {
            Some((5 | 6, _)) => victim == 0,
            Some((_, holder)) => victims.contains(&holder),
            None => false,
        };
        for &victim in victims.iter().filter(|&&victim| victim != host) {
            self.remove(victim);
        }
        if takes_over {
            self.held = Some((wanted, host));
        }
        self.generation += 1;
        SUCCESS
    }

    fn release(&mut self, host: usize, cdw10: u32, current: u64) -> u16 {
        if self.key(host) != Some(current) {
            return CONFLICT;
        }
        if cdw10 & 7 == 1 {
            self.registrants.clear();
            self.held = None;
            self.generation += 1;
            return SUCCESS;
        }
        match self.held {
            Some((held, _)) if self.holds(host) => {
                if u32::from(held) != cdw10 >> 8 & 0xff {
                    return INVALID_FIELD;
                }
                if !self.keeps {
                    self.held = None;
                }
            }
            _ => {}
        }
        SUCCESS
    }

    fn report(&self) -> Vec<u8> {
        let mut data = self.generation.to_le_bytes().to_vec();
        data.push(match self.fault {
            Some(Fault::UndefinedType) => 9,
            Some(Fault::HolderOfNothing) => 0,
            Some(Fault::SeveralHolders) => 1,
            None => self.held.map_or(0, |(held, _)| held),
        });
        let entries: Vec<_> = self
            .registrants
            .iter()
            .filter(|(host, _)| self.unlisted != Some(*host))
            .chain(&self.second_entry)
            .collect();
        let all_hold = self.fault.is_some();
        data.extend(u16::try_from(entries.len()).unwrap().to_le_bytes());
        data.extend([0, 0, u8::from(self.persists && !self.always_forgets)]);
        data.resize(64, 0);
        for &&(host, key) in &entries {
            let holds = u8::from(all_hold || self.holds(host));
            data.extend([0xff, 0xff, holds, 0, 0, 0, 0, 0]);
            data.extend(key.to_le_bytes());
            data.extend(HOSTS[host]);
            data.extend([0; 32]);
        }
        data
    }
}

/// The namespace, as one of the hosts has it.
#[derive(Clone, Debug)]
pub(crate) struct Host(Rc<RefCell<Namespace>>, usize);

fn keys<const N: usize>(list: &[u8]) -> [u64; N] {
    assert_eq!(list.len(), 8 * N);
    std::array::from_fn(|i| u64::from_le_bytes(*list[8 * i..].first_chunk().unwrap()))
}

impl Passthrough for Host {
    fn send(&mut self, command: &Command, data: Data<'_>, _: Duration) -> io::Result<NvmeStatus> {
        let mut space = self.0.borrow_mut();
        let (host, cdw10) = (self.1, command.cdw10());
        let status = match (command.opcode(), data) {
            (0x0d, Data::Out(list)) => space.register(host, cdw10, keys(list)),
            (0x11, Data::Out(list)) => space.acquire(host, cdw10, keys(list)),
            (0x15, Data::Out(list)) => space.release(host, cdw10, keys::<1>(list)[0]),
            (opcode, Data::In(buffer)) => {
                let answer = match (opcode, cdw10) {
                    (0x06, 0) => namespace(0xff),
                    (0x06, 1) => controller(true, true),
                    (0x0a, 0x81) if space.is_silent => return Ok(NvmeStatus(0x4002)),
                    (0x0a, 0x81) => HOSTS[host].to_vec(),
                    (0x0e, _) if command.cdw11() == 1 => space.report(),
                    (0x0e, _) => return Ok(NvmeStatus(0x6018)),
                    _ => panic!("{command}"),
                };
                fill(buffer, &answer);
                SUCCESS
            }
            _ => panic!("{command}"),
        };
        Ok(NvmeStatus(status))
    }
}

impl Open for Host {
    fn open(&self, device: &Path, _: Access) -> io::Result<Box<dyn Transport>> {
        let node = Node {
            kind: NodeKind::NvmeGeneric { namespace: 3 },
            bsg_major: None,
            ..Node::default()
        };
        Ok(Box::new(Translator::new(self.clone(), node, device)))
    }
}

impl Host {
    /// Two hosts at one namespace.
    pub(crate) fn two() -> [Self; 2] {
        let namespace = Rc::default();
        [Self(Rc::clone(&namespace), 0), Self(namespace, 1)]
    }

    /// The namespace, to change it behind the program's back.
    pub(crate) fn namespace(&self) -> RefMut<'_, Namespace> {
        self.0.borrow_mut()
    }
}

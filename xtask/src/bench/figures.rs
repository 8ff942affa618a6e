// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The figures: what the measuring program found, and what is made of it.

use serde::{Deserialize, Serialize};

/// What the measuring program wrote; costs are nanoseconds of the host VM's clock.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Measured {
    /// The host kernel's release.
    host_kernel: String,
    /// KVM_RUN until the guest's store to a device has come out, and the next one.
    trip: f64,
    /// KVM_GET_ONE_REG.
    get: f64,
    /// KVM_SET_ONE_REG.
    set: f64,
    /// A call that KVM answers by itself.
    answer: f64,
    /// The engines that were measured, of those that the kernel has.
    pub(crate) engines: Vec<String>,
    rows: Vec<Cost>,
    memory: MeasuredMemory,
}

#[derive(Clone, Debug, Deserialize)]
struct Cost {
    path: String,
    engine: String,
    cost: f64,
    /// The least that it could cost with this kernel, if it leaves the guest's vCPU.
    bound: Option<f64>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct MeasuredMemory {
    vm_bytes: u64,
    vcpu_bytes: u64,
    build_ns: f64,
}

/// What a boot cost.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Boot {
    /// Nanoseconds of processor time.
    pub(crate) cost: u64,
}

/// The same boot more than once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Boots {
    /// With KVM's own PSCI.
    pub(crate) kvm: u64,
    /// With the board's blob and the userspace engine.
    pub(crate) userspace: Option<u64>,
    /// With the board's blob and the kernel engine.
    pub(crate) kernel: Option<u64>,
}

/// The figures of one processor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Figures {
    /// Name of the emulated processor, or `native`.
    pub(crate) cpu: String,
    /// The host kernel's release.
    pub(crate) host_kernel: String,
    /// One for each path.
    pub(crate) rows: Vec<Row>,
    /// A boot with and without the blob.
    pub(crate) boot: Option<BootRow>,
    /// What a monitor VM takes.
    pub(crate) memory: Memory,
    /// What the bounds are made of.
    pub(crate) units: Option<Units>,
}

/// One path of a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    /// The path's name.
    pub(crate) path: String,
    /// Who carries the call: none, userspace or kernel.
    pub(crate) engine: String,
    /// Instructions of one call; none where they cannot be counted.
    pub(crate) instructions: Option<u64>,
    /// Instructions that it needs at least with this kernel; none for what KVM answers by itself.
    pub(crate) bound: Option<u64>,
    /// `instructions` by `bound`.
    pub(crate) ratio: Option<f64>,
    /// Nanoseconds of one call.
    pub(crate) wall_ns: u64,
}

/// A boot's instructions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct BootRow {
    /// With KVM's own PSCI.
    pub(crate) kvm_instructions: u64,
    /// With the board's blob and the userspace engine, and by the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) blob_instructions: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ratio: Option<f64>,
    /// With the board's blob and the kernel engine, and by the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kernel_engine_instructions: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kernel_engine_ratio: Option<f64>,
}

/// What a monitor VM takes before it serves a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Memory {
    /// Bytes touched for the VM.
    pub(crate) vm_bytes: u64,
    /// Bytes touched for each vCPU.
    pub(crate) vcpu_bytes: u64,
    /// Instructions until one with one vCPU is ready.
    pub(crate) build_instructions: Option<u64>,
    /// Nanoseconds until then.
    pub(crate) build_wall_ns: u64,
}

/// Instructions of what bounds are made of.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Units {
    /// A world trip.
    pub(crate) trip: u64,
    /// A register read.
    pub(crate) get: u64,
    /// A register written.
    pub(crate) set: u64,
    /// A call that KVM answers by itself.
    #[serde(default)]
    pub(crate) answer: u64,
}

impl Figures {
    /// Puts a counted and a timed run together.
    pub(crate) fn new(
        cpu: &str,
        counted: Option<Measured>,
        timed: Measured,
        boot: Option<Boots>,
    ) -> Figures {
        let row = |timed: &Cost| {
            let found = counted.as_ref().and_then(|run| {
                let same = |cost: &&Cost| cost.path == timed.path && cost.engine == timed.engine;
                let cost = run.rows.iter().find(same)?;
                Some((cost.cost, cost.bound))
            });
            Row {
                path: timed.path.clone(),
                engine: timed.engine.clone(),
                instructions: found.map(|(cost, _)| whole(cost)),
                bound: found.and_then(|(_, bound)| bound).map(whole),
                ratio: found.and_then(|(cost, bound)| Some(thousandths(cost / bound?))),
                wall_ns: whole(timed.cost),
            }
        };
        let build = counted.as_ref().map(|run| whole(run.memory.build_ns));
        Figures {
            cpu: cpu.to_owned(),
            host_kernel: timed.host_kernel.clone(),
            rows: timed.rows.iter().map(row).collect(),
            boot: boot.map(|boots| BootRow {
                kvm_instructions: boots.kvm,
                blob_instructions: boots.userspace,
                ratio: boots.userspace.map(|boot| boots.ratio(boot)),
                kernel_engine_instructions: boots.kernel,
                kernel_engine_ratio: boots.kernel.map(|boot| boots.ratio(boot)),
            }),
            memory: Memory {
                vm_bytes: timed.memory.vm_bytes,
                vcpu_bytes: timed.memory.vcpu_bytes,
                build_instructions: build,
                build_wall_ns: whole(timed.memory.build_ns),
            },
            units: counted.as_ref().map(|run| Units {
                trip: whole(run.trip),
                get: whole(run.get),
                set: whole(run.set),
                answer: whole(run.answer),
            }),
        }
    }
}

impl Boots {
    fn ratio(&self, boot: u64) -> f64 {
        thousandths(boot as f64 / self.kvm as f64)
    }
}

/// A cost without its fraction; noise may take a cheap one below zero.
fn whole(cost: f64) -> u64 {
    cost.max(0.0).round() as u64
}

fn thousandths(ratio: f64) -> f64 {
    (ratio * 1000.0).round() / 1000.0
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    const COUNTED: &str = r#"{"host_kernel":"6.12.0-fakemon","trip":4000.0,"get":600.0,"set":650.0,
        "answer":1550.4,"engines":["userspace","kernel"],
        "rows":[{"path":"hvc-kvm","engine":"none","cost":1550.4,"bound":null},
                {"path":"smc-blob-3","engine":"userspace","cost":12000.0,"bound":11650.0},
                {"path":"smc-blob-3","engine":"kernel","cost":4000.0,"bound":3100.8}],
        "memory":{"vm_bytes":65536,"vcpu_bytes":12288,"build_ns":900000.0}}"#;

    /// Figures of two paths, counted and timed.
    pub(crate) fn example() -> Figures {
        let counted: Measured = serde_json::from_str(COUNTED).expect("good JSON");
        let mut timed = counted.clone();
        timed.rows[0].cost = 9_999.6;
        timed.rows[1].cost = 81_000.0;
        let boots = Boots {
            kvm: 4_000_000_000,
            userspace: Some(4_020_000_000),
            kernel: Some(4_008_000_000),
        };
        Figures::new("max", Some(counted), timed, Some(boots))
    }

    #[test]
    fn each_engine_has_its_own_bound_for_a_path() {
        let row = &example().rows[1];
        assert_eq!(row.bound, Some(11_650));
        assert_eq!(row.ratio, Some(1.03));
        assert_eq!((row.instructions, row.wall_ns), (Some(12_000), 81_000));
        let carried = &example().rows[2];
        assert_eq!(carried.instructions, Some(4000));
        assert_eq!((carried.bound, carried.ratio), (Some(3101), Some(1.29)));
    }

    #[test]
    fn a_path_inside_kvm_has_no_bound() {
        let row = &example().rows[0];
        assert_eq!((row.instructions, row.wall_ns), (Some(1550), 10_000));
        assert_eq!((row.bound, row.ratio), (None, None));
    }

    #[test]
    fn json_has_the_names_that_others_rely_on() {
        let json = serde_json::to_value(example()).expect("JSON");
        let names = |value: &serde_json::Value| {
            let object = value.as_object().expect("an object");
            object.keys().cloned().collect::<Vec<_>>()
        };
        for name in ["cpu", "host_kernel", "rows", "boot", "memory"] {
            assert!(names(&json).contains(&name.to_owned()), "{name}");
        }
        let mut row = names(&json["rows"][0]);
        row.sort();
        let wanted = [
            "bound",
            "engine",
            "instructions",
            "path",
            "ratio",
            "wall_ns",
        ];
        assert_eq!(row, wanted);
        assert_eq!(json["boot"]["ratio"], 1.005);
        assert_eq!(json["boot"]["kernel_engine_ratio"], 1.002);
        let again: Figures = serde_json::from_value(json).expect("reads back");
        assert_eq!(again, example());
    }

    #[test]
    fn without_icount_there_is_wall_time_alone() {
        let timed: Measured = serde_json::from_str(COUNTED).expect("good JSON");
        let figures = Figures::new("native", None, timed, None);
        assert_eq!(figures.rows[1].instructions, None);
        assert_eq!(figures.rows[1].bound, None);
        assert_eq!(figures.rows[1].wall_ns, 12_000);
        assert_eq!((figures.boot, figures.units), (None, None));
    }
}

/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * Fake Monitor for VMMs in C: gives a KVM guest on arm64 Linux the secure firmware of its board.
 *
 * Make the VM, and set its policy before any vCPU runs. Make a world of the board's blob, add the
 * guest's memory to it, and take a lane for each vCPU. When KVM_RUN ends with KVM_EXIT_HYPERCALL, hand
 * the call to the lane, and do what its steps say until one is to run the guest. examples/minimal.c is
 * a whole VMM.
 *
 * These hold for all functions:
 * - One that returns an enum fakemon_error has failed if that is not FAKEMON_ERROR_NONE, and
 *   fakemon_last_error() says why. What it was to write has not been written then.
 * - A null pointer is FAKEMON_ERROR_VMM unless a function says that it takes one, and so is a number
 *   that is none of the enum it is said to be one of.
 * - File descriptors are borrowed for the call and never closed.
 * - What must be true of the arguments besides, and cannot be checked, is under "Safety".
 * - Handles are not copied by fork(): do not use them in a child.
 *
 * Made by cbindgen of the sources of fakemon-c: change those. Structs and enums may change with the
 * second number of the version while the first is 0, so build library and VMM from the same release.
 */

#ifndef FAKEMON_H
#define FAKEMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * Whose fault it is that a function failed. What happened and what to do about it is said by
 * `fakemon_last_error`.
 */
enum fakemon_error {
  /**
   * Nobody's: it has not failed.
   */
  FAKEMON_ERROR_NONE = 0,
  /**
   * The VMM's: an argument that is null or has no such value, or a call out of turn.
   */
  FAKEMON_ERROR_VMM = 1,
  /**
   * The blob's: it is no blob, is made for other guests, or failed during a call and the
   * configuration is to stop then.
   */
  FAKEMON_ERROR_BLOB = 2,
  /**
   * The host's: its kernel lacks something or refused something.
   */
  FAKEMON_ERROR_HOST = 3,
  /**
   * This library's: a mistake that it has noticed. Of the handles that were handed over no other
   * use is left than to free them.
   */
  FAKEMON_ERROR_INTERNAL = 4,
};

/**
 * Who carries a call from the guest to the blob and back.
 */
enum fakemon_engine {
  /**
   * KVM itself where it can, else this library.
   */
  FAKEMON_ENGINE_AUTO = 0,
  /**
   * This library, with KVM as it is.
   */
  FAKEMON_ENGINE_USERSPACE = 1,
  /**
   * KVM itself, which needs a host kernel with the patches of `host-shim/kernel`.
   */
  FAKEMON_ENGINE_KERNEL = 2,
};

/**
 * The instruction of a call.
 */
enum fakemon_conduit {
  /**
   * SMC.
   */
  FAKEMON_CONDUIT_SMC = 0,
  /**
   * HVC.
   */
  FAKEMON_CONDUIT_HVC = 1,
};

/**
 * What becomes of a call during which a blob fails.
 */
enum fakemon_on_fault {
  /**
   * It ends in `FAKEMON_ERROR_BLOB`, and the VMM stops the guest.
   */
  FAKEMON_ON_FAULT_FATAL = 0,
  /**
   * The guest is answered NOT_SUPPORTED and goes on; the VMM hears of it by
   * `FAKEMON_STEP_FAULT`.
   */
  FAKEMON_ON_FAULT_NOT_SUPPORTED = 1,
};

/**
 * Who answers a guest's SMC and HVC.
 */
enum fakemon_policy {
  /**
   * The blobs answer the function IDs that they claim, KVM the others.
   */
  FAKEMON_POLICY_BLOB = 0,
  /**
   * KVM answers as if there were no Fake Monitor.
   */
  FAKEMON_POLICY_KVM = 1,
  /**
   * Every call is answered NOT_SUPPORTED, within the kernel.
   */
  FAKEMON_POLICY_DENY = 2,
  /**
   * Every call ends in KVM_EXIT_HYPERCALL, for `fakemon_vcpu_inject_undefined`.
   */
  FAKEMON_POLICY_UNDEF = 3,
};

/**
 * Statuses of an answer, as PSCI spells them (Arm DEN 0022, 5.2.2).
 */
enum fakemon_status {
  /**
   * It is done. To one of the last five requests this says yes.
   */
  FAKEMON_STATUS_SUCCESS = 0,
  /**
   * There is no such thing.
   */
  FAKEMON_STATUS_NOT_SUPPORTED = -1,
  /**
   * An argument is out of range or malformed.
   */
  FAKEMON_STATUS_INVALID_PARAMETERS = -2,
  /**
   * The request is understood and refused.
   */
  FAKEMON_STATUS_DENIED = -3,
  /**
   * The CPU runs already.
   */
  FAKEMON_STATUS_ALREADY_ON = -4,
  /**
   * The CPU has been asked to run and has not started yet.
   */
  FAKEMON_STATUS_ON_PENDING = -5,
  /**
   * The VMM failed.
   */
  FAKEMON_STATUS_INTERNAL_FAILURE = -6,
  /**
   * There is no such CPU.
   */
  FAKEMON_STATUS_NOT_PRESENT = -7,
  /**
   * The CPU or feature is disabled.
   */
  FAKEMON_STATUS_DISABLED = -8,
  /**
   * An address is not one that the guest may hand over.
   */
  FAKEMON_STATUS_INVALID_ADDRESS = -9,
};

/**
 * Execution state of a guest's EL1.
 */
enum fakemon_width {
  /**
   * 64-bit registers x0 to x30.
   */
  FAKEMON_WIDTH_AARCH64 = 0,
  /**
   * 32-bit registers r0 to r12.
   */
  FAKEMON_WIDTH_AARCH32 = 1,
};

/**
 * A checked blob, for any number of VMs. Several threads may use one at the same time.
 */
struct fakemon_blob;

/**
 * Gets a vCPU out of a payload. Several threads may use one at the same time.
 */
struct fakemon_kick_handle;

/**
 * The secure half of one of the guest's vCPUs: carries its calls to the payloads and back. Any thread
 * may use it, one at a time.
 */
struct fakemon_lane;

/**
 * The payloads of a guest, and its memory. Several threads may use one at the same time.
 */
struct fakemon_world;

/**
 * How a world treats its blobs. Begin with `fakemon_config_default`.
 */
struct fakemon_config {
  /**
   * Who carries the calls: one of `enum fakemon_engine`.
   */
  uint32_t engine;
  /**
   * What becomes of a call during which a blob fails: one of `enum fakemon_on_fault`.
   */
  uint32_t on_fault;
  /**
   * Where the guest's calls by HVC come to: one of `enum fakemon_hvc`.
   */
  uint32_t hvc;
  /**
   * How many nanoseconds of CPU time a blob may use within one call. Zero switches the watchdog
   * off, with both limits.
   */
  uint64_t watchdog_ns;
  /**
   * How many nanoseconds a blob may stay within one call that uses no CPU time, as in WFI; be
   * generous. Zero is no limit.
   */
  uint64_t watchdog_wall_ns;
  /**
   * The signal that interrupts a vCPU thread in KVM_RUN when the watchdog fires. Its handler must be
   * installed without SA_RESTART and may do nothing; if the signal has its default action, the
   * library installs one. A thread that blocks it is interrupted as well: the monitor's vCPU lets it
   * through. With the kernel engine the guest's vCPU has to, if it has a mask (KVM_SET_SIGNAL_MASK).
   */
  int kick_signal;
  /**
   * How many calls that are over are kept for `fakemon_lane_drain_log` before the kernel engine makes
   * KVM_RUN end, so that they can be read. Zero keeps none, and takes no times.
   */
  uint32_t log;
};

/**
 * A payload's failure.
 */
struct fakemon_fault {
  /**
   * What happened, in English, with the payload's registers.
   */
  const char *message;
};

/**
 * Bytes for the console. There is no NUL at their end.
 */
struct fakemon_console {
  /**
   * The bytes.
   */
  const uint8_t *text;
  /**
   * How many, 256 at most.
   */
  size_t size;
};

/**
 * A CPU to start.
 */
struct fakemon_cpu_on {
  /**
   * Affinity fields of the CPU.
   */
  uint64_t mpidr;
  /**
   * Where; bit 0 selects Thumb for an AArch32 CPU.
   */
  uint64_t entry;
  /**
   * Value for x0 or r0.
   */
  uint64_t context;
};

/**
 * CPUs that are asked about.
 */
struct fakemon_cpu_affinity {
  /**
   * Their affinity fields.
   */
  uint64_t mpidr;
  /**
   * The lowest affinity level that counts.
   */
  uint64_t level;
};

/**
 * A read of a device.
 */
struct fakemon_read {
  /**
   * Where.
   */
  uint64_t address;
  /**
   * Bytes: 1, 2, 4 or 8.
   */
  size_t size;
};

/**
 * A write to a device.
 */
struct fakemon_write {
  /**
   * Where.
   */
  uint64_t address;
  /**
   * Bytes: 1, 2, 4 or 8.
   */
  size_t size;
  /**
   * What to write, in the low bytes.
   */
  uint64_t value;
};

/**
 * Random bits that are asked for.
 */
struct fakemon_entropy {
  /**
   * How many words, 1 to 4.
   */
  size_t words;
};

/**
 * Something for the VMM's trace.
 */
struct fakemon_event {
  /**
   * Which.
   */
  uint64_t code;
  /**
   * What the payload says of it.
   */
  uint64_t args[3];
};

/**
 * A timer to set.
 */
struct fakemon_watchdog {
  /**
   * Nanoseconds; 0 stops it.
   */
  uint64_t ns;
};

/**
 * A CPU on which a payload is to be entered without a call.
 */
struct fakemon_interrupt {
  /**
   * Number of the CPU, as that of its lane.
   */
  uint32_t cpu;
  /**
   * Which payload, in the order of the world's blobs.
   */
  size_t payload;
};

/**
 * A time at which a payload is to be entered without a call, on the CPU that asks.
 */
struct fakemon_timer {
  /**
   * When, on the monotonic clock of `FAKEMON_STEP_TIME`; 0 takes it back.
   */
  uint64_t deadline;
  /**
   * Which payload, in the order of the world's blobs.
   */
  size_t payload;
};

/**
 * Where a vCPU goes on.
 */
struct fakemon_resume {
  /**
   * Guest physical address.
   */
  uint64_t entry;
  /**
   * Value for x0 or r0.
   */
  uint64_t context;
};

/**
 * How the guest is reset.
 */
struct fakemon_system_reset {
  /**
   * As in PSCI SYSTEM_RESET2; 0 is a plain one.
   */
  uint64_t kind;
  /**
   * The guest's cookie.
   */
  uint64_t cookie;
};

/**
 * What the VMM does next.
 *
 * From `FAKEMON_STEP_CONSOLE` on it is a request: the payload stands still until
 * `fakemon_lane_answer`, which may come at once, later, or from another thread. Who does not know
 * or have what is asked for answers `FAKEMON_STATUS_NOT_SUPPORTED`. Arguments are whatever the
 * payload says, so check them. Addresses are guest physical.
 *
 * Pointers are the library's and stay valid until the next call with the lane.
 */
enum fakemon_step_Tag {
  /**
   * Run the guest's vCPU. The call is over, or, with the kernel engine, goes on by that.
   */
  FAKEMON_STEP_RUN,
  /**
   * The call is over without a return, because the VMM has said yes to one of the last five
   * requests: the guest's vCPU goes on as that says.
   */
  FAKEMON_STEP_LEFT,
  /**
   * A signal or a kick came: do what it was for, then `fakemon_lane_resume`.
   */
  FAKEMON_STEP_INTERRUPTED,
  /**
   * The payload failed, the guest has been answered NOT_SUPPORTED and is to run
   * (`FAKEMON_ON_FAULT_NOT_SUPPORTED`).
   */
  FAKEMON_STEP_FAULT,
  /**
   * Show bytes that the payload writes to its console.
   */
  FAKEMON_STEP_CONSOLE,
  /**
   * Start a CPU. The status is what PSCI CPU_ON returns.
   */
  FAKEMON_STEP_CPU_ON,
  /**
   * Tell whether CPUs are on: value 0 is 0 for on, 1 for off, 2 for start pending.
   */
  FAKEMON_STEP_CPU_AFFINITY,
  /**
   * Read a device as a secure access: value 0 is what it says, in the low bytes.
   */
  FAKEMON_STEP_READ,
  /**
   * Write a device as a secure access.
   */
  FAKEMON_STEP_WRITE,
  /**
   * Answer when an interrupt is pending for the guest's vCPU, or at once if nobody can tell.
   */
  FAKEMON_STEP_WAIT_FOR_INTERRUPT,
  /**
   * Tell the time: value 0 is nanoseconds of a monotonic clock that counts while the host is
   * suspended, value 1 nanoseconds since 1970.
   */
  FAKEMON_STEP_TIME,
  /**
   * Give so many words of random bits as values.
   */
  FAKEMON_STEP_ENTROPY,
  /**
   * Take an event for the VMM's trace.
   */
  FAKEMON_STEP_EVENT,
  /**
   * Reset the guest unless this is asked again within so many nanoseconds. There is one such timer
   * for the guest.
   */
  FAKEMON_STEP_WATCHDOG,
  /**
   * Unless that CPU is off, have the payload entered there: `fakemon_world_interrupt`, then get the
   * vCPU out of KVM_RUN. Say yes either way; or that it is not supported, if the VMM does not call
   * `fakemon_lane_deliver`.
   */
  FAKEMON_STEP_INTERRUPT,
  /**
   * The same for the CPU that asks, when its clock has reached the deadline.
   */
  FAKEMON_STEP_TIMER,
  /**
   * Tell the address of this CPU's stolen time structure, if the VMM has told KVM to keep one
   * (`fakemon_vcpu_keep_stolen_time`).
   */
  FAKEMON_STEP_STOLEN_TIME,
  /**
   * A request that this header has no words for: answer `FAKEMON_STATUS_NOT_SUPPORTED`.
   */
  FAKEMON_STEP_OTHER,
  /**
   * Say yes if the guest's vCPU is to be off until another one starts it.
   */
  FAKEMON_STEP_CPU_OFF,
  /**
   * Say yes if the guest's vCPU is to come back from a power-down: start it there.
   *
   * It has its MMU and caches off: SCTLR_EL1 as after a reset, then `fakemon_vcpu_start_at`. Its
   * timers (CNTV and CNTP, control and deadline), its part of the GIC and its MPIDR_EL1 are what
   * they were, or the interrupt that has woken it is lost. So do not call KVM_ARM_VCPU_INIT, which
   * clears the timers and, before Linux 6.10, MPIDR_EL1.
   */
  FAKEMON_STEP_CPU_RESUME,
  /**
   * Say yes if the guest is to be off.
   */
  FAKEMON_STEP_SYSTEM_OFF,
  /**
   * Say yes if the guest is to be reset.
   */
  FAKEMON_STEP_SYSTEM_RESET,
  /**
   * Say yes if the guest is to be suspended until an interrupt is pending for its vCPU, or
   * something else that wakes such a machine happens; then its vCPU starts at `entry`, as for
   * `FAKEMON_STEP_CPU_RESUME`.
   */
  FAKEMON_STEP_SYSTEM_SUSPEND,
};

struct fakemon_step {
  enum fakemon_step_Tag tag;
  union {
    struct {
      struct fakemon_fault fault;
    };
    struct {
      struct fakemon_console console;
    };
    struct {
      struct fakemon_cpu_on cpu_on;
    };
    struct {
      struct fakemon_cpu_affinity cpu_affinity;
    };
    struct {
      struct fakemon_read read;
    };
    struct {
      struct fakemon_write write;
    };
    struct {
      struct fakemon_entropy entropy;
    };
    struct {
      struct fakemon_event event;
    };
    struct {
      struct fakemon_watchdog watchdog;
    };
    struct {
      struct fakemon_interrupt interrupt;
    };
    struct {
      struct fakemon_timer timer;
    };
    struct {
      struct fakemon_resume cpu_resume;
    };
    struct {
      struct fakemon_system_reset system_reset;
    };
    struct {
      struct fakemon_resume system_suspend;
    };
  };
};

/**
 * The VMM's answer to a request.
 */
struct fakemon_reply {
  /**
   * One of `enum fakemon_status`.
   */
  int32_t status;
  /**
   * What was asked for, as the request says. Others are not looked at, and none of an answer that
   * is not `FAKEMON_STATUS_SUCCESS`.
   */
  uint64_t values[4];
};

/**
 * A call that is over.
 */
struct fakemon_call {
  /**
   * Function ID, as w0 or r0 held it.
   */
  uint32_t function;
  /**
   * How the guest called.
   */
  enum fakemon_conduit conduit;
  /**
   * How many of `before` were read from the caller.
   */
  size_t inputs;
  /**
   * How many of `after` may have been given back.
   */
  size_t outputs;
  /**
   * x0 to x17 with which the blob was entered.
   */
  uint64_t before[18];
  /**
   * x0 to x17 with which the blob returned, as many as `outputs` says.
   */
  uint64_t after[18];
  /**
   * Whether the guest has gone on after the call, rather than off, elsewhere or not at all.
   */
  bool returned;
  /**
   * When the call was made, in nanoseconds of CLOCK_MONOTONIC; 0 without a log.
   */
  uint64_t begin_ns;
  /**
   * When it was over, likewise.
   */
  uint64_t end_ns;
};

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * What the last function that failed on this thread has to say, in English and without a newline;
 * an empty string if none has.
 *
 * The string is the library's. It stays as it is until another function fails on this thread, or
 * the thread ends.
 */
const char *fakemon_last_error(void);

/**
 * Checks the bytes of a blob's ELF file, which may hold anything, and takes from them what is
 * needed: they are not used after this.
 *
 * `*blob` is the caller's then, who ends it with `fakemon_blob_free`.
 *
 * # Errors
 * It is no blob, or one of another version.
 *
 * # Safety
 * `size` bytes can be read at `bytes`, and a pointer be written to `*blob`.
 */
enum fakemon_error fakemon_blob_parse(const uint8_t *bytes,
                                      size_t size,
                                      struct fakemon_blob **blob);

/**
 * Ends a blob. What was made with it has a copy and stays. NULL is no blob, and nothing happens.
 *
 * # Safety
 * `blob` comes from `fakemon_blob_parse`, and no thread uses it now or later.
 */
void fakemon_blob_free(struct fakemon_blob *blob);

/**
 * Sets all of `*config` to the defaults: the engine that the kernel has, a fault is fatal, a second
 * of CPU time, 30 seconds on the wall, signal 40, no log.
 *
 * # Safety
 * `*config` can be written.
 */
enum fakemon_error fakemon_config_default(struct fakemon_config *config);

/**
 * Sets KVM's SMCCC filter of a VM as `policy` says, which is one of `enum fakemon_policy`. For
 * `FAKEMON_POLICY_BLOB` each of the `count` blobs gets the calls that it claims, and is to be in the
 * guest's world at the same place; the other policies do not look at them.
 *
 * Call this once for a VM, before any of its vCPUs has run.
 *
 * # Errors
 * Two blobs claim the same calls, a vCPU has run, the VM has a filter of the VMM's own for some of
 * the calls, or the kernel is older than 6.4. The VM may then have a part of the filter and
 * should be closed.
 *
 * # Safety
 * `vm_fd` is open during this call, which does not keep it. `count` pointers can be read at `blobs`,
 * each from `fakemon_blob_parse` and not freed.
 */
enum fakemon_error fakemon_set_policy(int vm_fd,
                                      uint32_t policy,
                                      const struct fakemon_blob *const *blobs,
                                      size_t count);

/**
 * Makes a monitor VM for each of `count` blobs, for a guest with `cpus` vCPUs. `kvm_fd` is `/dev/kvm`.
 * A `config` of NULL is the default.
 *
 * `*world` is the caller's then, who ends it with `fakemon_world_free`. Of what is handed over, it
 * keeps copies.
 *
 * # Errors
 * Two blobs claim the same calls, there are too many vCPUs, the kernel lacks the engine that `config`
 * asks for, or KVM refuses.
 *
 * # Safety
 * `kvm_fd` is open during this call. `count` pointers can be read at `blobs`, each from
 * `fakemon_blob_parse` and not freed. `config` is NULL or can be read, and a pointer can be written to
 * `*world`.
 */
enum fakemon_error fakemon_world_new(int kvm_fd,
                                     const struct fakemon_blob *const *blobs,
                                     size_t count,
                                     uint32_t cpus,
                                     const struct fakemon_config *config,
                                     struct fakemon_world **world);

/**
 * Adds a region of the guest's RAM: where the guest sees it, where it is mapped in this process, and
 * how many bytes, all multiples of the page size.
 *
 * # Errors
 * It lies in the monitor's own window, is not made of pages, overlaps another, or KVM refuses; then
 * it has not been added.
 *
 * # Safety
 * `world` comes from `fakemon_world_new` and is not freed. The region is mapped, writable, and stays
 * so until it is removed, or the world and all its lanes are freed.
 */
enum fakemon_error fakemon_world_add_memory(const struct fakemon_world *world,
                                            uint64_t guest_addr,
                                            void *host_addr,
                                            uint64_t size);

/**
 * Removes the region that begins at this guest physical address. When this returns, nothing refers to
 * its mapping any more. An access of a payload becomes a request from then on.
 *
 * # Errors
 * There is no such region, or KVM refuses.
 *
 * # Safety
 * `world` comes from `fakemon_world_new` and is not freed.
 */
enum fakemon_error fakemon_world_remove_memory(const struct fakemon_world *world,
                                               uint64_t guest_addr);

/**
 * Makes the region that begins at this guest physical address read-only for all payloads, or as
 * writable as they ask. A store there becomes a request while it is read-only.
 *
 * # Errors
 * There is no such region, or KVM refuses.
 *
 * # Safety
 * `world` comes from `fakemon_world_new` and is not freed.
 */
enum fakemon_error fakemon_world_set_read_only(const struct fakemon_world *world,
                                               uint64_t guest_addr,
                                               bool read_only);

/**
 * Begins or ends keeping track of the pages that payloads write.
 *
 * # Errors
 * KVM refuses.
 *
 * # Safety
 * `world` comes from `fakemon_world_new` and is not freed.
 */
enum fakemon_error fakemon_world_log_dirty_pages(const struct fakemon_world *world, bool on);

/**
 * Adds the pages of the region at this guest physical address that payloads have written since this
 * was asked last to `pages`, of `words` words: bit 0 of word 0 is the region's first page, as in
 * KVM_GET_DIRTY_LOG. Other bits stay as they are, so the guest's own log can be handed over.
 *
 * # Errors
 * There is no such region, nobody keeps track, KVM refuses, or there are fewer words than the region
 * has pages for; what has been written since is lost then, so take all pages for written.
 *
 * # Safety
 * `world` comes from `fakemon_world_new` and is not freed. Nobody else uses the `words` words at
 * `pages` during this call.
 */
enum fakemon_error fakemon_world_dirty_pages(const struct fakemon_world *world,
                                             uint64_t guest_addr,
                                             uint64_t *pages,
                                             size_t words);

/**
 * Makes all payloads what they were when the world was made, for a guest that is reset in place. Its
 * vCPUs keep their lanes, and its memory stays.
 *
 * A blob's data is what its file says when this returns. What it has on each CPU, which is the EL1
 * state, the frame and the stack, each lane makes anew at the next call that comes to it; with the
 * kernel engine calls do not, so have `fakemon_lane_abandon` do it on every lane.
 *
 * # Errors
 * A vCPU is in a call, which `fakemon_lane_abandon` ends. Nothing has been reset then.
 *
 * # Safety
 * `world` comes from `fakemon_world_new` and is not freed.
 */
enum fakemon_error fakemon_world_reset(const struct fakemon_world *world);

/**
 * Tells who carries the calls of the first payload: `FAKEMON_ENGINE_KERNEL` or
 * `FAKEMON_ENGINE_USERSPACE`.
 *
 * # Errors
 * None but null pointers.
 *
 * # Safety
 * `world` comes from `fakemon_world_new` and is not freed, and `*engine` can be written.
 */
enum fakemon_error fakemon_world_engine(const struct fakemon_world *world,
                                        enum fakemon_engine *engine);

/**
 * Ends a world. Its lanes keep what they need of it, so any order will do. NULL is no world, and
 * nothing happens.
 *
 * # Safety
 * `world` comes from `fakemon_world_new`, and no thread uses it now or later.
 */
void fakemon_world_free(struct fakemon_world *world);

/**
 * Takes the lane of the guest's vCPU number `cpu`, counted from 0, whose EL1 is `width` wide, one of
 * `enum fakemon_width`. Take it once for each vCPU, after KVM_ARM_VCPU_INIT.
 *
 * `*lane` is the caller's then, who ends it with `fakemon_lane_free`. It keeps the world's payloads
 * and the vCPU's file alive by itself.
 *
 * # Errors
 * No payload serves such callers, `cpu` is out of range or taken, or KVM refuses.
 *
 * # Safety
 * `world` comes from `fakemon_world_new` and is not freed, `vcpu_fd` is open during this call, and a
 * pointer can be written to `*lane`.
 */
enum fakemon_error fakemon_lane_new(const struct fakemon_world *world,
                                    uint32_t cpu,
                                    int vcpu_fd,
                                    uint32_t width,
                                    struct fakemon_lane **lane);

/**
 * Begins to serve a call of the guest's vCPU, which has just exited with KVM_EXIT_HYPERCALL: `nr` and
 * `flags` are those of `struct kvm_run.hypercall` (`longmode` where the header of the kernel has no
 * `flags`). `*step` is what to do next.
 *
 * A call that no payload claims is answered NOT_SUPPORTED, as KVM does by itself.
 *
 * # Errors
 * The payload failed and the configuration is to stop then, the host could not carry the call out, or
 * another call is in progress. `*step` is not written.
 *
 * # Safety
 * `lane` comes from `fakemon_lane_new`, is not freed, and no other thread uses it during this call.
 * `*step` can be written.
 */
enum fakemon_error fakemon_lane_trap(struct fakemon_lane *lane,
                                     uint64_t nr,
                                     uint64_t flags,
                                     struct fakemon_step *step);

/**
 * Answers what the payload has asked, and goes on with its call.
 *
 * # Errors
 * As for `fakemon_lane_trap`; or it has not asked, which changes nothing.
 *
 * # Safety
 * As for `fakemon_lane_trap`, and `*reply` can be read.
 */
enum fakemon_error fakemon_lane_answer(struct fakemon_lane *lane,
                                       const struct fakemon_reply *reply,
                                       struct fakemon_step *step);

/**
 * Goes on with a call that was left by a signal or a kick, which `FAKEMON_STEP_INTERRUPTED` has said.
 *
 * # Errors
 * As for `fakemon_lane_trap`; or no call was left so, which changes nothing.
 *
 * # Safety
 * As for `fakemon_lane_trap`.
 */
enum fakemon_error fakemon_lane_resume(struct fakemon_lane *lane,
                                       struct fakemon_step *step);

/**
 * Ends a call in progress, of which the guest has seen nothing yet, as if it had never been begun:
 * for a VMM that resets the guest's vCPU. After `fakemon_world_reset` it makes the payloads' vCPUs anew,
 * too. Otherwise, without a call, this does nothing.
 *
 * # Errors
 * The host could not make the monitor's vCPU anew.
 *
 * # Safety
 * `lane` comes from `fakemon_lane_new`, is not freed, and no other thread uses it during this call.
 */
enum fakemon_error fakemon_lane_abandon(struct fakemon_lane *lane);

/**
 * Tells whether a call is in progress: one that was left, one that waits for an answer, or, with the
 * kernel engine, one that goes on by nothing more than KVM_RUN of the guest's vCPU.
 *
 * # Errors
 * None but null pointers.
 *
 * # Safety
 * As for `fakemon_lane_abandon`, and `*in_call` can be written.
 */
enum fakemon_error fakemon_lane_in_call(const struct fakemon_lane *lane,
                                        bool *in_call);

/**
 * Ends a lane, and the call that is in progress. NULL is no lane, and nothing happens.
 *
 * # Safety
 * `lane` comes from `fakemon_lane_new`, and no thread uses it now or later.
 */
void fakemon_lane_free(struct fakemon_lane *lane);

/**
 * Makes a handle with which any thread can get a lane's call to end in `FAKEMON_STEP_INTERRUPTED`.
 *
 * `*handle` is the caller's then, who ends it with `fakemon_kick_handle_free`, before the lane or after.
 *
 * # Errors
 * None but null pointers.
 *
 * # Safety
 * As for `fakemon_lane_abandon`, and a pointer can be written to `*handle`.
 */
enum fakemon_error fakemon_kick_handle_new(const struct fakemon_lane *lane,
                                           struct fakemon_kick_handle **handle);

/**
 * Makes a call in progress, or else the next one, return at its next entry into the payload. A
 * payload that is running this very moment is interrupted by the signal that the VMM then sends to
 * the vCPU's thread.
 *
 * # Errors
 * None but null pointers.
 *
 * # Safety
 * `handle` comes from `fakemon_kick_handle_new` and is not freed. The lane may be gone or in use.
 */
enum fakemon_error fakemon_kick(const struct fakemon_kick_handle *handle);

/**
 * Ends a kick handle. NULL is none, and nothing happens.
 *
 * # Safety
 * `handle` comes from `fakemon_kick_handle_new`, and no thread uses it now or later.
 */
void fakemon_kick_handle_free(struct fakemon_kick_handle *handle);

/**
 * Has a payload, counted from 0 in the order of the blobs, entered without a call on CPU number `cpu`, as
 * soon as that is not in a call: `fakemon_lane_is_due` says so from now on. Several of these that have not
 * been delivered are one. Get the vCPU out of KVM_RUN afterwards. A blob that has no place for such entries
 * is left alone.
 *
 * # Errors
 * The world has no such CPU or payload.
 *
 * # Safety
 * `world` comes from `fakemon_world_new` and is not freed.
 */
enum fakemon_error fakemon_world_interrupt(const struct fakemon_world *world,
                                           uint32_t cpu,
                                           size_t payload);

/**
 * Tells whether a payload is to be entered without a call, and there is something to do for
 * `fakemon_lane_deliver` before the guest's vCPU runs on.
 *
 * # Errors
 * None but null pointers.
 *
 * # Safety
 * `lane` comes from `fakemon_lane_new`, is not freed, and no other thread uses it during this call.
 * `*is_due` can be written.
 */
enum fakemon_error fakemon_lane_is_due(const struct fakemon_lane *lane, bool *is_due);

/**
 * Tells whether a payload is to be entered without a call, now or when the call in progress is over: then
 * a guest that waits for an interrupt (`FAKEMON_STEP_WAIT_FOR_INTERRUPT`) has waited long enough.
 *
 * # Errors
 * None but null pointers.
 *
 * # Safety
 * As for `fakemon_lane_is_due`, and `*is_raised` can be written.
 */
enum fakemon_error fakemon_lane_is_raised(const struct fakemon_lane *lane,
                                          bool *is_raised);

/**
 * Enters a payload that is due, with the guest where it is. `*step` is what to do next, as after
 * `fakemon_lane_trap`; without such a payload it is `FAKEMON_STEP_RUN`.
 *
 * The guest's vCPU must have left KVM_RUN with nothing to complete: after an exit for an access to a
 * device, run it with `immediate_exit` set, which ends in EINTR.
 *
 * # Errors
 * As for `fakemon_lane_trap`.
 *
 * # Safety
 * As for `fakemon_lane_trap`.
 */
enum fakemon_error fakemon_lane_deliver(struct fakemon_lane *lane,
                                        struct fakemon_step *step);

/**
 * Hands out the calls of a lane that are over and have not been handed out, from the oldest, to `each`,
 * with `context`.
 *
 * Have a VMM with a trace do this after each call, and when the guest's vCPU has stopped for good. Calls
 * that KVM carries are here only if there is a log (`struct fakemon_config`); the userspace engine keeps
 * no more than the last one.
 *
 * # Errors
 * None but null pointers; `context` may be null.
 *
 * # Safety
 * `lane` comes from `fakemon_lane_new`, is not freed, and no other thread uses it during this call.
 * `each` can be called with `context` and a call that it may read until it returns; it returns, and does
 * nothing with the lane.
 */
enum fakemon_error fakemon_lane_drain_log(struct fakemon_lane *lane,
                                          void (*each)(void *context,
                                                       const struct fakemon_call *call),
                                          void *context);

/**
 * Reads a register of 64 bits, such as SCTLR_EL1, by its id for KVM_GET_ONE_REG.
 *
 * # Errors
 * The id is one of a register of another size, or KVM refuses it.
 *
 * # Safety
 * `vcpu_fd` is open during this call, which does not keep it, and `*value` can be written.
 */
enum fakemon_error fakemon_vcpu_get(int vcpu_fd, uint64_t id, uint64_t *value);

/**
 * Writes a register of 64 bits, by its id for KVM_SET_ONE_REG.
 *
 * # Errors
 * The id is one of a register of another size, or KVM refuses it or the value.
 *
 * # Safety
 * `vcpu_fd` is open during this call, which does not keep it.
 */
enum fakemon_error fakemon_vcpu_set(int vcpu_fd, uint64_t id, uint64_t value);

/**
 * Makes a vCPU of this width, one of `enum fakemon_width`, run from `entry` with `context` in x0 or
 * r0, at EL1h or in Supervisor mode, interrupts masked. Bit 0 of an AArch32 `entry` selects Thumb.
 *
 * The MMU is off if KVM_ARM_VCPU_INIT has left it so: call that first for a vCPU that has run.
 *
 * # Errors
 * KVM refuses a register.
 *
 * # Safety
 * `vcpu_fd` is open during this call, which does not keep it.
 */
enum fakemon_error fakemon_vcpu_start_at(int vcpu_fd,
                                         uint32_t width,
                                         uint64_t entry,
                                         uint64_t context);

/**
 * Makes a vCPU of this width, one of `enum fakemon_width`, which has just exited with
 * KVM_EXIT_HYPERCALL, take the exception that the SMC or HVC raises on a CPU without EL3 or EL2.
 *
 * # Errors
 * KVM refuses a register.
 *
 * # Safety
 * `vcpu_fd` is open during this call, which does not keep it.
 */
enum fakemon_error fakemon_vcpu_inject_undefined(int vcpu_fd, uint32_t width);

/**
 * Tells KVM to keep the stolen time structure of a vCPU (Arm DEN 0057) at guest physical `address`: a
 * multiple of 64 in memory that the guest has already been given, and zero there. Call this once for
 * each vCPU, before it runs; the address is then the answer to `FAKEMON_STEP_STOLEN_TIME`.
 *
 * # Errors
 * What KVM says: ENXIO if the host's kernel keeps no such time, EINVAL for a bad address, EEXIST the
 * second time.
 *
 * # Safety
 * `vcpu_fd` is open during this call, which does not keep it.
 */
enum fakemon_error fakemon_vcpu_keep_stolen_time(int vcpu_fd,
                                                 uint64_t address);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* FAKEMON_H */

/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What a blob remembers, what it wants at a time, and how it fails. */
#include "vm.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Host calls (docs/abi.md). */
#define TIME 10
#define WATCHDOG 17
#define INTERRUPT 21
#define TIMER 22

#define MILLISECOND 1000000ul
#define HOUR (3600000ul * MILLISECOND)

/* All registers of a CPU. */
struct saved {
    struct kvm_reg_list *list;
    uint8_t (*values)[256];
};

static struct saved save(const struct cpu *cpu)
{
    struct kvm_reg_list none = {.n = 0};
    HOLDS(ioctl(cpu->fd, KVM_GET_REG_LIST, &none) == -1 && errno == E2BIG);
    struct saved saved = {calloc(1, sizeof(none) + none.n * sizeof(uint64_t)),
                          calloc(none.n, sizeof(*saved.values))};
    saved.list->n = none.n - 1;
    HOLDS(ioctl(cpu->fd, KVM_GET_REG_LIST, saved.list) == -1 && errno == E2BIG);
    HOLDS(saved.list->n == none.n);
    sys(ioctl(cpu->fd, KVM_GET_REG_LIST, saved.list), "KVM_GET_REG_LIST");
    HOLDS(saved.list->n == none.n);
    for (uint64_t n = 0; n < none.n; n++) {
        struct kvm_one_reg reg = {saved.list->reg[n], (uintptr_t)saved.values[n]};
        sys(ioctl(cpu->fd, KVM_GET_ONE_REG, &reg), "KVM_GET_ONE_REG");
    }
    return saved;
}

static void restore(const struct cpu *cpu, const struct saved *saved)
{
    for (uint64_t n = 0; n < saved->list->n; n++) {
        struct kvm_one_reg reg = {saved->list->reg[n], (uintptr_t)saved->values[n]};
        sys(ioctl(cpu->fd, KVM_SET_ONE_REG, &reg), "KVM_SET_ONE_REG");
    }
}

/* A guest that is saved and goes on elsewhere has a blob that remembers what it did. */
static void remembered(void)
{
    struct vm vm = make_vm();
    struct cpu cpu = make_cpu(&vm, 0);
    for (uint32_t n = 1; n <= 3; n++)
        HOLDS(probe(&cpu, COUNT, 0, 0) == n);
    struct saved saved = save(&cpu);
    HOLDS(probe(&cpu, COUNT, 0, 0) == 4);

    /* It remembers nothing where nothing is restored. */
    struct vm other = make_vm();
    struct cpu others = make_cpu(&other, 0);
    HOLDS(probe(&others, COUNT, 0, 0) == 1);

    struct vm next = make_vm();
    struct cpu nexts = make_cpu(&next, 0);
    restore(&nexts, &saved);
    HOLDS(probe(&nexts, COUNT, 0, 0) == 4);
    /* While a guest runs, VMMs write back what they have read before. */
    restore(&nexts, &saved);
    HOLDS(probe(&nexts, COUNT, 0, 0) == 5);
    /* A machine that is reset begins anew, unless it is restored. */
    reset(&next, &nexts, false);
    HOLDS(probe(&nexts, COUNT, 0, 0) == 1);
    reset(&next, &nexts, false);
    restore(&nexts, &saved);
    HOLDS(probe(&nexts, COUNT, 0, 0) == 4);

    /* What makes no sense is refused. */
    reset(&next, &nexts, false);
    for (uint64_t n = 0; n < saved.list->n; n++)
        if ((saved.list->reg[n] & KVM_REG_ARM_COPROC_MASK) == 0x0fac0000)
            memset(saved.values[n], 0x55, sizeof(*saved.values));
    restore(&nexts, &saved);
    HOLDS(run(&nexts) == KVM_EXIT_INTERNAL_ERROR);
}

/* A blob with much data goes along as well, and is among the registers of one CPU. */
static void listed(void)
{
    struct vm vm = make_vm();
    struct cpu cpus[] = {make_cpu(&vm, 0), make_cpu(&vm, 1)};
    HOLDS(call(&cpus[0], VERSION, 0, 0, 0) == 0x10001);
    struct saved first = save(&cpus[0]), second = save(&cpus[1]);
    HOLDS(first.list->n > second.list->n);
    struct vm next = make_vm();
    struct cpu nexts[] = {make_cpu(&next, 0), make_cpu(&next, 1)};
    restore(&nexts[0], &first);
    restore(&nexts[1], &second);
    HOLDS(call(&nexts[0], VERSION, 0, 0, 0) == 0x10001);
}

/* A host call with one argument. */
static uint32_t ask(const struct cpu *cpu, uint64_t nr, uint64_t argument)
{
    return probe(cpu, HOST_CALL, nr, argument);
}

static uint64_t now(const struct cpu *cpu)
{
    HOLDS(ask(cpu, TIME, 0) == 0);
    return get(cpu, X(1));
}

/* How often the blob was entered without a call. */
static uint64_t entries(const struct cpu *cpu)
{
    HOLDS(probe(cpu, COUNT, 0, 0) > 0);
    return get(cpu, X(1));
}

/* The blob is entered when its time has come, also in a guest that has been saved before. */
static void timers(void)
{
    struct vm vm = make_vm();
    struct cpu cpu = make_cpu(&vm, 0);
    HOLDS(entries(&cpu) == 0);
    HOLDS(ask(&cpu, TIMER, now(&cpu) + HOUR) == 0);
    HOLDS(ask(&cpu, TIMER, now(&cpu) + MILLISECOND) == 0);
    while (entries(&cpu) == 0)
        ;
    HOLDS(entries(&cpu) == 1);
    const uint64_t due = now(&cpu) + 100 * MILLISECOND;
    HOLDS(ask(&cpu, TIMER, due) == 0);
    struct saved saved = save(&cpu);

    struct vm next = make_vm();
    struct cpu nexts = make_cpu(&next, 0);
    restore(&nexts, &saved);
    /* One is for what could have been due when it was saved. */
    while (entries(&nexts) < 3)
        ;
    HOLDS(now(&nexts) >= due);
}

/* A guest that does not feed its firmware's watchdog is reset. */
static void unfed(void)
{
    struct vm vm = make_vm();
    struct cpu cpu = make_cpu(&vm, 0);
    HOLDS(ask(&cpu, WATCHDOG, HOUR) == 0);
    HOLDS(ask(&cpu, WATCHDOG, 0) == 0);
    /* The guest goes on making calls, and has nothing to tell the VMM, which would find it reset before. */
    complete(&cpu);
    prepare(&cpu, PROBE, HOST_CALL, WATCHDOG, MILLISECOND);
    set(&cpu, X(9), RAM + SIZE / 2);
    set(&cpu, PC, BY_SMC);
    HOLDS(run(&cpu) == KVM_EXIT_SYSTEM_EVENT);
    HOLDS(cpu.run->system_event.type == KVM_SYSTEM_EVENT_RESET);
    reset(&vm, &cpu, false);
    HOLDS(probe(&cpu, COUNT, 0, 0) == 1);
}

static _Atomic bool over;

static void nothing(int signal)
{
    (void)signal;
}

static void *idle(void *argument)
{
    const struct cpu *cpu = argument;
    while (!over)
        HOLDS(ioctl(cpu->fd, KVM_RUN, 0) == -1 && errno == EINTR);
    return NULL;
}

/* The blob is entered on a CPU whose guest loops with all of its interrupts masked. */
static void others(void)
{
    struct sigaction action = {.sa_handler = nothing};
    sys(sigaction(SIGUSR1, &action, NULL), "sigaction");
    struct vm vm = make_vm();
    struct cpu cpus[] = {make_cpu(&vm, 0), make_cpu(&vm, 1)};
    reset(&vm, &cpus[1], false);
    set(&cpus[1], PC, IDLE);
    pthread_t runner;
    pthread_create(&runner, NULL, idle, &cpus[1]);
    HOLDS(ask(&cpus[0], INTERRUPT, 7) != 0);
    for (uint64_t n = 1; n <= 3; n++) {
        /* It is there when it runs. */
        while (ask(&cpus[0], INTERRUPT, 1) != 0)
            ;
        while (entries(&cpus[0]) < n)
            ;
    }
    over = true;
    pthread_kill(runner, SIGUSR1);
    pthread_join(runner, NULL);
    HOLDS(get(&cpus[1], PC) == IDLE);
}

/* A blob that fails is an internal error, and the guest stands past its call with nothing changed. */
static void fails(uint64_t how)
{
    struct vm vm = make_vm();
    struct cpu cpu = make_cpu(&vm, 0);
    prepare(&cpu, PROBE, how, 0, 0);
    HOLDS(run(&cpu) == KVM_EXIT_INTERNAL_ERROR);
    HOLDS(get(&cpu, PC) == BY_SMC + 4 && get(&cpu, X(0)) == PROBE && get(&cpu, X(1)) == how);
}

static void faulty(void)
{
    fails(FAIL);
}

/* Where signals are blocked, too. */
static void hangs(void)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    fails(HANG);
}

static void *call_it(void *argument)
{
    HOLDS(probe(argument, COUNT, 0, 0) > 0);
    return NULL;
}

/* A vCPU that another thread runs each time. */
static void moved(void)
{
    struct vm vm = make_vm();
    struct cpu cpu = make_cpu(&vm, 0);
    for (int n = 0; n < 4; n++) {
        pthread_t thread;
        pthread_create(&thread, NULL, call_it, &cpu);
        pthread_join(thread, NULL);
    }
    HOLDS(probe(&cpu, COUNT, 0, 0) == 5);
}

const struct scenario about_blobs[] = {
    {"remembered", remembered}, {"listed", listed}, {"timers", timers}, {"unfed", unfed},
    {"others", others},         {"faulty", faulty}, {"hangs", hangs},   {"moved", moved},
    {0},
};

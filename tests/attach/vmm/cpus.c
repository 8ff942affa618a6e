/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* CPUs that come late, start and go off, and the threads that run them. */
#include "vm.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

/* A vCPU that is made when the guest runs is served if there is room, and else cannot run. */
static void late(bool room)
{
    struct vm vm = make_vm();
    struct cpu cpu = make_cpu(&vm, 0);
    HOLDS(call(&cpu, VERSION, 0, 0, 0) == 0x10001);
    struct cpu second = make_cpu(&vm, 1);
    reset(&vm, &second, false);
    prepare(&second, VERSION, 0, 0, 0);
    HOLDS(ioctl(second.fd, KVM_RUN, 0) == 0);
    if (room)
        HOLDS(told(&second) == 0x10001);
    else
        HOLDS(second.run->exit_reason == KVM_EXIT_INTERNAL_ERROR);
    HOLDS(call(&cpu, VERSION, 0, 0, 0) == 0x10001);
}

static void late_with_room(void)
{
    late(true);
}

static void late_without_room(void)
{
    late(false);
}

#define STARTS 100

struct target {
    struct cpu cpu;
    _Atomic uint32_t started;
    _Atomic bool over;
};

static void nothing(int signal)
{
    (void)signal;
}

/* Runs the secondary CPU, and looks at its state whenever it was interrupted. */
static void *run_target(void *argument)
{
    struct target *target = argument;
    const struct cpu *cpu = &target->cpu;
    while (!target->over) {
        if (ioctl(cpu->fd, KVM_RUN, 0) == 0) {
            target->started = told(cpu);
            continue;
        }
        if (errno != EINTR)
            err(2, "KVM_RUN");
        uint64_t x0 = get(cpu, X(0)), pc = get(cpu, PC), x9 = get(cpu, X(9));
        if (pc == ENTRY)
            /* All of a start: from nothing, with its context. */
            HOLDS(x9 == 0 && x0 >= 1 && x0 <= STARTS);
        else if (pc == SECONDARY_OFF)
            HOLDS(x9 == 0x09000000 && x0 == CPU_OFF);
    }
    return NULL;
}

static void *kick_target(void *argument)
{
    struct target *target = ((void **)argument)[0];
    pthread_t *thread = ((void **)argument)[1];
    while (!target->over) {
        pthread_kill(*thread, SIGUSR1);
        usleep(100);
    }
    return NULL;
}

/* CPUs start and go off while somebody interrupts them and looks at their state all the time. */
static void starts(void)
{
    struct sigaction action = {.sa_handler = nothing};
    sys(sigaction(SIGUSR1, &action, NULL), "sigaction");
    struct vm vm = make_vm();
    struct cpu cpu = make_cpu(&vm, 0);
    static struct target target;
    target.cpu = make_cpu(&vm, 1);
    pthread_t runner, kicker;
    void *both[] = {&target, &runner};
    pthread_create(&runner, NULL, run_target, &target);
    pthread_create(&kicker, NULL, kick_target, both);
    for (uint32_t n = 1; n <= STARTS; n++) {
        HOLDS(call(&cpu, CPU_ON, 1, ENTRY, n) == 0);
        while (target.started != n)
            usleep(100);
        while (call(&cpu, AFFINITY_INFO, 1, 0, 0) != 1)
            ;
    }
    target.over = true;
    pthread_join(kicker, NULL);
    pthread_kill(runner, SIGUSR1);
    pthread_join(runner, NULL);
}

/* A thread that blocks all signals, and a vCPU with a mask of its own that does. */
static void masked(void)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    struct vm vm = make_vm();
    struct cpu cpu = make_cpu(&vm, 0);
    /* struct kvm_signal_mask with its array. */
    struct {
        uint32_t len;
        uint8_t set[8];
    } mask = {.len = sizeof(mask.set)};
    memset(mask.set, 0xff, sizeof(mask.set));
    sys(ioctl(cpu.fd, KVM_SET_SIGNAL_MASK, &mask), "KVM_SET_SIGNAL_MASK");
    for (int n = 0; n < 3; n++)
        HOLDS(call(&cpu, VERSION, 0, 0, 0) == 0x10001);
}

const struct scenario about_cpus[] = {
    {"late_with_room", late_with_room},
    {"late_without_room", late_without_room},
    {"starts", starts},
    {"masked", masked},
    {0},
};

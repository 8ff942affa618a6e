/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the VMM's scenarios share (vm.c). */
#pragma once
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>

#define RAM 0x40000000ul
#define MORE_RAM 0x50000000ul
#define SIZE 0x10000ul
/* Where the secondary CPU starts. */
#define ENTRY (RAM + 0x100)

#define VERSION 0x84000000u
#define CPU_OFF 0x84000002u
#define CPU_ON 0xc4000003u
#define AFFINITY_INFO 0xc4000004u
#define SYSTEM_OFF 0x84000008u
#define SYSTEM_SUSPEND 0xc400000eu
#define INVALID_ADDRESS 0xfffffff7u

#define CORE(word) (0x6030000000100000ul | (word))
#define X(n) CORE(2 * (n))
#define PC CORE(64)

/* Where the guest calls firmware, by SMC and by HVC, and where CPUs loop that do nothing. */
#define BY_SMC RAM
#define BY_HVC (RAM + 12)
#define IDLE (RAM + 24)
/* Where the secondary CPU has gone off. */
#define SECONDARY_OFF (ENTRY + 20)

extern int failures;
/* A bit of the features that each CPU gets besides. */
extern uint32_t feature;

#define HOLDS(what)                                                 \
    do {                                                            \
        if (!(what)) {                                              \
            printf("%s:%d: not so: %s\n", __FILE__, __LINE__, #what); \
            failures++;                                             \
        }                                                           \
    } while (0)

struct cpu {
    int fd;
    struct kvm_run *run;
};

struct vm {
    int kvm, fd;
    uint8_t *ram;
};

long sys(long result, const char *what);
uint64_t get(const struct cpu *cpu, uint64_t id);
void set(const struct cpu *cpu, uint64_t id, uint64_t value);
void set_slot(const struct vm *vm, uint32_t slot, uint64_t guest, uint64_t size, uint32_t flags);
struct vm make_vm(void);
void reset(const struct vm *vm, const struct cpu *cpu, bool off);
struct cpu make_cpu(const struct vm *vm, long number);
void complete(const struct cpu *cpu);
int run(const struct cpu *cpu);
uint32_t told(const struct cpu *cpu);
void prepare(const struct cpu *cpu, uint64_t function, uint64_t a, uint64_t b, uint64_t c);
uint32_t call_at(const struct cpu *cpu, uint64_t pc, uint64_t function, uint64_t a, uint64_t b,
                 uint64_t c);
uint32_t call(const struct cpu *cpu, uint64_t function, uint64_t a, uint64_t b, uint64_t c);

/* The blob of probe.rs, which does as it is told: what, and with what. */
#define PROBE 0xc3000000u
#define COUNT 0
#define HOST_CALL 1
#define LOAD 2
#define STORE 3
#define FAIL 4
#define HANG 5

static inline uint32_t probe(const struct cpu *cpu, uint64_t what, uint64_t a, uint64_t b)
{
    return call(cpu, PROBE, what, a, b);
}

/* A scenario. */
struct scenario {
    const char *name;
    void (*run)(void);
};

/* Each file's, up to one without name. */
extern const struct scenario about_calls[], about_cpus[], about_machines[], about_blobs[];

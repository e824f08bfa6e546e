/* A plugin of QEMU's that counts the instructions of an emulated program, and writes how many there were as it
   ends. What it uses of QEMU's interface is declared here, because Debian has no package with the header. */

#include <stdint.h>
#include <stdio.h>

#define COUNTERS 256 /* a power of two; threads that share one still count */

struct qemu_plugin_tb;
typedef uint64_t qemu_plugin_id_t;

extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern void qemu_plugin_register_vcpu_tb_trans_cb(
    qemu_plugin_id_t, void (*)(qemu_plugin_id_t, struct qemu_plugin_tb *));
extern void qemu_plugin_register_vcpu_tb_exec_cb(
    struct qemu_plugin_tb *, void (*)(unsigned, void *), int registers, void *);
extern void qemu_plugin_register_atexit_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, void *), void *);

__attribute__((visibility("default"))) int qemu_plugin_version = INTERFACE;

static struct {
    _Alignas(64) uint64_t count;
} counters[COUNTERS];

static void executed(unsigned thread, void *instructions)
{
    uint64_t *count = &counters[thread % COUNTERS].count;
    __atomic_fetch_add(count, (uintptr_t)instructions, __ATOMIC_RELAXED);
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *block)
{
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_cb(block, executed, 0, (void *)qemu_plugin_tb_n_insns(block));
}

static void ended(qemu_plugin_id_t id, void *unused)
{
    (void)id, (void)unused;
    uint64_t sum = 0;
    for (int at = 0; at < COUNTERS; at++)
        sum += counters[at].count;
    fprintf(stderr, "instructions: %llu\n", (unsigned long long)sum);
}

__attribute__((visibility("default"))) int
qemu_plugin_install(qemu_plugin_id_t id, const void *machine, int arguments, char **values)
{
    (void)machine, (void)arguments, (void)values;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, ended, 0);
    return 0;
}

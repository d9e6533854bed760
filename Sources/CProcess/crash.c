#define _GNU_SOURCE
#include "process.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

enum { SLOTS = 64 };

enum slot_state { FREE, CHANGING, HELD };

static struct {
    atomic_int state;
    int descriptor;
    off_t offset;
    char mark;
} notes[SLOTS];

static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGABRT};
static struct sigaction previous[NSIG];

static int is_own_fault(int number, const siginfo_t *info) {
    // Positive: from the kernel, for what this process did.
    if (info->si_code > 0 || info->si_pid == getpid()) return 1;
    return number == SIGABRT && info->si_pid == getppid();
}

// Only async-signal-safe calls: any lock may be held.
static void mark_notes(int number, siginfo_t *info, void *context) {
    (void)context;
    if (is_own_fault(number, info)) {
        for (int slot = 0; slot < SLOTS; slot++) {
            if (atomic_load(&notes[slot].state) != HELD) continue;
            ssize_t written = pwrite(notes[slot].descriptor, &notes[slot].mark, 1, notes[slot].offset);
            (void)written;
        }
    }
    // The fault happens again when this returns, and a signal that was sent comes again: then it ends the process, as
    // it would have without us.
    sigaction(number, &previous[number], NULL);
    if (info->si_code <= 0) raise(number);
}

void cf_crash_notes_begin(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = mark_notes;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    for (size_t index = 0; index < sizeof faults / sizeof *faults; index++)
        sigaction(faults[index], &action, &previous[faults[index]]);
}

int cf_crash_note_hold(int descriptor, off_t offset, char mark) {
    for (int slot = 0; slot < SLOTS; slot++) {
        int expected = FREE;
        if (!atomic_compare_exchange_strong(&notes[slot].state, &expected, CHANGING)) continue;
        notes[slot].descriptor = descriptor;
        notes[slot].offset = offset;
        notes[slot].mark = mark;
        atomic_store(&notes[slot].state, HELD);
        return slot;
    }
    return -1;
}

void cf_crash_note_release(int slot) {
    if (slot >= 0 && slot < SLOTS) atomic_store(&notes[slot].state, FREE);
}

// The spawn and reap layer: what posix_spawn cannot do (parent-death signal, resource limits) and what Swift cannot
// call (fork, variadic prctl). No state of its own; every function is to be called from the one thread that supervises.
#ifndef CHAFFINCH_PROCESS_H
#define CHAFFINCH_PROCESS_H

#include <stdint.h>
#include <sys/types.h>

// Where in the child a start failed.
enum cf_spawn_stage {
    CF_SPAWN_STAGE_PARENT = 0,
    CF_SPAWN_STAGE_SIGNALS = 1,
    CF_SPAWN_STAGE_DESCRIPTORS = 2,
    CF_SPAWN_STAGE_LIMITS = 3,
    CF_SPAWN_STAGE_OOM_SCORE = 4,
    CF_SPAWN_STAGE_WORKING_DIRECTORY = 5,
    CF_SPAWN_STAGE_EXEC = 6,
};

struct cf_spawn_request {
    // Paths to try in order, ended by NULL: the caller has already looked along PATH.
    const char *const *programs;
    char *const *arguments;
    char *const *environment;
    // NULL: the supervisor's own.
    const char *working_directory;
    // Become the child's descriptors 0 to 3. -1 means /dev/null for 0 to 2 and closed for 3.
    int input;
    int output;
    int error;
    int control;
    // Sent to the child when the thread that forked it ends; 0 for none.
    int parent_death_signal;
    // RLIMIT_NOFILE and RLIMIT_DATA (bytes of private writable memory); 0 leaves them alone.
    uint64_t open_files;
    uint64_t memory;
    int has_oom_score;
    int oom_score;
};

struct cf_spawned {
    // The child and leader of its own process group.
    pid_t pid;
    // Opened before anybody could reap the child; -1 where the kernel has none.
    int pidfd;
    // After a failure: where, and errno. The failed child has already been reaped.
    enum cf_spawn_stage stage;
    int error;
};

// Starts a child and returns once it runs its program (0) or has failed to (-1).
int cf_spawn(const struct cf_spawn_request *request, struct cf_spawned *result);

// Reaps one ended child, ours or adopted: its pid, 0 when none has ended, -1 when there are no children.
pid_t cf_reap(int *status);

// Sends a signal through a pidfd, which can never hit a later process of the same number. 0 or -1 with errno.
int cf_pidfd_signal(int pidfd, int signal_number);

// Allows this process as many descriptors as the system does; children start with as many as it was found with.
void cf_raise_open_files(void);

// Blocks what the supervisor reads from a descriptor, ignores what must not end it, and sees to it that descriptors 0
// to 2 are open; before any thread starts.
void cf_signals_prepare(void);

// A non-blocking descriptor for the signals that cf_signals_prepare blocked, or -1.
int cf_signals_open(void);

// Blocks these signals and opens a non-blocking descriptor for them, or -1.
int cf_signals_take(const int *numbers, int count);

// The next pending signal, or 0.
int cf_signals_next(int descriptor);

// `SEGV` for SIGSEGV; NULL for a signal without a name.
const char *cf_signal_name(int signal_number);

// A pipe, read end first, that no child inherits. 0 or -1.
int cf_pipe(int ends[2]);

// What the program was started with, as the kernel gave it: ended by NULL.
char *const *cf_arguments(void);

// A thread of its own for a body; 0 or an errno. The name is at most 15 bytes.
int cf_thread_start(const char *name, size_t stack_bytes, void *(*body)(void *), void *argument);

// Adopt orphaned descendants, as PID 1 does anyway. 0 or -1.
int cf_become_subreaper(void);

// From now on a fault of this process (SIGSEGV, SIGABRT and their like) is written into every crash note it holds before
// it ends the process. A signal that another process sent is not, but for SIGABRT from the parent, by which a supervisor
// ends a child that hangs.
void cf_crash_notes_begin(void);

// Holds a note: `mark` is written to the descriptor at that offset in a crash. -1 when there are too many at once.
int cf_crash_note_hold(int descriptor, off_t offset, char mark);

// To be called before the descriptor is closed.
void cf_crash_note_release(int slot);

#endif

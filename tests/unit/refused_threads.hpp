#pragma once

#include <atomic>

// Sanitizers have a pthread_create of their own.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#  define CAN_REFUSE_THREADS

/// While it is true, this process starts no threads: the system has no more.
extern std::atomic<bool> refuse_threads;
#endif

#pragma once

#include <chrono>
#include <cstddef>
#include <memory>

namespace galaxycache {

/// Threads for user code that may block. The threads start with the first
/// job; jobs wait in a queue that whoever submits has bounded. Thread-safe.
class worker_pool {
public:
  /// A job computes off the caller's thread and then delivers. A job that is
  /// dropped without having run is destroyed without delivering.
  class job {
  public:
    virtual ~job();

    /// Runs on a worker; must not throw.
    virtual void run() = 0;

    /// Runs on the same worker after `run`, unless the pool was abandoned
    /// meanwhile: then whom to deliver to may be gone. Must not throw or block.
    virtual void deliver() = 0;
  };

  explicit worker_pool(std::size_t threads);

  worker_pool(const worker_pool&) = delete;
  worker_pool& operator=(const worker_pool&) = delete;

  /// Stops at once: as `stop` with no patience.
  ~worker_pool();

  /// Returns false, and drops the job, once the pool is stopped, or if the
  /// system has no thread for it.
  bool submit(std::unique_ptr<job> work);

  /// Drops all jobs that have not begun and waits up to `patience` for those
  /// that have. Returns false if some still run: their threads are abandoned,
  /// they finish on their own and deliver nothing. Whatever its patience, it
  /// waits for deliveries under way and for threads that run no job. From a
  /// job, it does not wait for that job.
  bool stop(std::chrono::nanoseconds patience);

private:
  struct shared_state;

  const std::size_t threads_max_;
  std::shared_ptr<shared_state> shared_;
};

} // namespace galaxycache

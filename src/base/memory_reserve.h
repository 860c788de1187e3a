// Memory for the moment in which there is none: what has begun reaches its next check, and is refused there.
#pragma once

#include <cstddef>

namespace r1 {

/// Keeps address space back, and is the process's new-handler as long as it lives: an allocation that fails is tried
/// again with a part of the reserve. Destructors need that: nlohmann's ~basic_json allocates, and std::bad_alloc in
/// a destructor ends the program. An eighth of the reserve is for threads that unwind already; what finds no
/// part any more throws std::bad_alloc as without a reserve.
///
/// A thread that lived on the reserve is expected to give up what it does: check_memory() says so to it. One
/// reserve at a time; all functions may be called from any thread, and cost a load where memory is plenty.
class MemoryReserve {
 public:
  /// Throws std::bad_alloc where the system does not give that much.
  explicit MemoryReserve(std::size_t bytes);
  MemoryReserve(const MemoryReserve&) = delete;
  ~MemoryReserve();
};

/// This thread begins something that can be given up: what it took of the reserve before does not count.
void begin_memory_check();

/// Throws std::bad_alloc if this thread took of the reserve since then.
void check_memory();

/// False: parts of the reserve are missing and the system does not give them back. Nothing new should begin.
bool memory_is_whole();

}  // namespace r1

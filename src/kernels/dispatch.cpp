// Chooses the kernels for this processor. A new instruction set (AMX, say) is one more enumerator and one more
// case in each function here. R1_NO_AVX (CMake's R1_AVX=OFF): the program has the plain kernels alone.
#ifndef R1_NO_AVX
#include <cpuid.h>
#endif

#include <initializer_list>

#include "base/error.h"
#include "kernels/cpu/entries.h"
#include "kernels/kernels.h"
#include "kernels/training.h"

namespace r1::kernels {

namespace {

std::string_view name_of(InstructionSet set) {
  switch (set) {
    case InstructionSet::scalar:
      return "scalar";
    case InstructionSet::avx2:
      return "avx2";
    case InstructionSet::avx512:
      return "avx512";
  }
  throw_error(ErrorKind::invalid_argument, "instruction set: unknown value {}", static_cast<int>(set));
}

/// The kernels of one set, whose groups enter their functions.
class Kernels {
 public:
  Kernels(InstructionSet set, std::initializer_list<void (*)(KernelTable&)> groups,
          void (*training)(TrainingKernels&)) {
    table_.name = name_of(set);
    for (const auto enter : groups) enter(table_);
    training(training_);
    table_.training = &training_;
  }
  Kernels(const Kernels&) = delete;
  Kernels& operator=(const Kernels&) = delete;

  const KernelTable& table() const { return table_; }

 private:
  KernelTable table_{};
  TrainingKernels training_{};
};

/// For a set that the processor has: filling its table runs code of the set.
const KernelTable& table_of(InstructionSet set) {
  switch (set) {
    case InstructionSet::scalar: {
      using namespace scalar;
      static const Kernels kernels(
          set, {enter_matmul, enter_matmul_transposed, enter_attention, enter_vector}, enter_training);
      return kernels.table();
    }
#ifndef R1_NO_AVX
    case InstructionSet::avx2: {
      using namespace avx2;
      static const Kernels kernels(
          set, {enter_matmul, enter_matmul_transposed, enter_attention, enter_vector}, enter_training);
      return kernels.table();
    }
    case InstructionSet::avx512: {
      using namespace avx512;
      static const Kernels kernels(
          set, {enter_matmul, enter_matmul_transposed, enter_attention, enter_vector}, enter_training);
      return kernels.table();
    }
#else
    default:
      break;
#endif
  }
  throw_error(ErrorKind::invalid_argument, "instruction set: unknown value {}", static_cast<int>(set));
}

#ifndef R1_NO_AVX
// clang 14's __builtin_cpu_supports does not know this name. Leaf 1, ECX bit 29 (Intel SDM, CPUID).
bool has_f16c() {
  unsigned int a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & (1U << 29U)) != 0;
}
#endif

}  // namespace

// __builtin_cpu_supports also asks whether the system saves the wide registers. The lists are the flags
// which CMakeLists.txt compiles the folders with.
bool is_supported(InstructionSet set) {
#ifdef R1_NO_AVX
  return set == InstructionSet::scalar;
#else
  switch (set) {
    case InstructionSet::scalar:
      return true;
    case InstructionSet::avx2:
      return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0 && has_f16c() &&
             __builtin_cpu_supports("bmi2") != 0;
    case InstructionSet::avx512:
      return is_supported(InstructionSet::avx2) && __builtin_cpu_supports("avx512f") != 0 &&
             __builtin_cpu_supports("avx512bw") != 0 && __builtin_cpu_supports("avx512dq") != 0 &&
             __builtin_cpu_supports("avx512vl") != 0 && __builtin_cpu_supports("avx512vnni") != 0;
  }
  return false;
#endif
}

const KernelTable& select_kernels(std::optional<InstructionSet> forced) {
  if (forced) {
    if (!is_supported(*forced))
      throw_error(ErrorKind::unsupported, "instruction set: this processor does not have {}",
                  name_of(*forced));
    return table_of(*forced);
  }
  if (is_supported(InstructionSet::avx512)) return table_of(InstructionSet::avx512);
  if (is_supported(InstructionSet::avx2)) return table_of(InstructionSet::avx2);
  return table_of(InstructionSet::scalar);
}

std::optional<InstructionSet> instruction_set_from_name(std::string_view name) {
  for (InstructionSet set : {InstructionSet::scalar, InstructionSet::avx2, InstructionSet::avx512})
    if (name_of(set) == name) return set;
  return std::nullopt;
}

}  // namespace r1::kernels

// Chooses the kernels for this processor. A new instruction set (AMX, say) is one more enumerator, one more
// table and one more line in each function here.
#include <cpuid.h>

#include "base/error.h"
#include "kernels/cpu/functions.h"
#include "kernels/kernels.h"

namespace r1::kernels {

namespace {

const KernelTable& table_of(InstructionSet set) {
  switch (set) {
    case InstructionSet::scalar:
      return scalar::table;
    case InstructionSet::avx2:
      return avx2::table;
    case InstructionSet::avx512:
      return avx512::table;
  }
  throw_error(ErrorKind::invalid_argument, "instruction set: unknown value {}", static_cast<int>(set));
}

// clang 14's __builtin_cpu_supports does not know this name. Leaf 1, ECX bit 29 (Intel SDM, CPUID).
bool has_f16c() {
  unsigned int a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & (1U << 29U)) != 0;
}

}  // namespace

// __builtin_cpu_supports also asks whether the system saves the wide registers. The lists are the flags
// which CMakeLists.txt compiles the folders with.
bool is_supported(InstructionSet set) {
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
}

const KernelTable& select_kernels(std::optional<InstructionSet> forced) {
  if (forced) {
    if (!is_supported(*forced))
      throw_error(ErrorKind::unsupported, "instruction set: this processor does not have {}",
                  table_of(*forced).name);
    return table_of(*forced);
  }
  if (is_supported(InstructionSet::avx512)) return avx512::table;
  if (is_supported(InstructionSet::avx2)) return avx2::table;
  return scalar::table;
}

std::optional<InstructionSet> instruction_set_from_name(std::string_view name) {
  for (InstructionSet set : {InstructionSet::scalar, InstructionSet::avx2, InstructionSet::avx512})
    if (table_of(set).name == name) return set;
  return std::nullopt;
}

}  // namespace r1::kernels

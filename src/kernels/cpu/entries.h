// Each instruction set enters its kernels into a table. A set is compiled in translation units of its own
// (cpu/scalar, cpu/avx2, cpu/avx512) with its own flags; what the sets share are templates over lanes in
// cpu/*.inc.h, which each unit includes inside an unnamed namespace, so that the linker can never take one
// set's copy for another's. Call a set's functions only on a processor that has the set.
#pragma once

#include "kernels/kernels.h"
#include "kernels/training.h"

namespace r1::kernels {

namespace scalar {
void enter_matmul(KernelTable& table);
void enter_matmul_transposed(KernelTable& table);
void enter_attention(KernelTable& table);
void enter_vector(KernelTable& table);
void enter_training(TrainingKernels& training);
}  // namespace scalar

namespace avx2 {
void enter_matmul(KernelTable& table);
void enter_matmul_transposed(KernelTable& table);
void enter_attention(KernelTable& table);
void enter_vector(KernelTable& table);
void enter_training(TrainingKernels& training);
}  // namespace avx2

namespace avx512 {
void enter_matmul(KernelTable& table);
void enter_matmul_transposed(KernelTable& table);
void enter_attention(KernelTable& table);
void enter_vector(KernelTable& table);
void enter_training(TrainingKernels& training);
}  // namespace avx512

}  // namespace r1::kernels

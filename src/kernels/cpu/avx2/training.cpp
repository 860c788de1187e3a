#include "kernels/training.h"

#include "kernels/cpu/entries.h"
#include "kernels/cpu/lanes_avx2.h"
#include "kernels/cpu/panel.h"
#include "kernels/cpu/tile_avx2.h"
// The shared bodies, compiled for this instruction set.
#include "kernels/cpu/exp.inc.h"
#include "kernels/cpu/vector.inc.h"
//
#include "kernels/cpu/training.inc.h"

namespace r1::kernels {
namespace {
#include "kernels/cpu/decode_blocks.inc.h"

#include "kernels/cpu/decode_row.inc.h"

constexpr int kTileRows = 4;
constexpr int kTileVectors = 1;
constexpr bool kHoldsTotals = false;
constexpr int kNarrowRows = 1;
constexpr int kIntegerRows = 4;
}  // namespace
}  // namespace r1::kernels

#include "kernels/cpu/product.inc.h"
//
#include "kernels/cpu/pairs.inc.h"
//
#include "kernels/cpu/integer_product.inc.h"

namespace r1::kernels::avx2 {

void enter_training(TrainingKernels& training) {
  enter_row_kernels(training);
  enter_product(training);
  enter_integer_product(training);
}

}  // namespace r1::kernels::avx2

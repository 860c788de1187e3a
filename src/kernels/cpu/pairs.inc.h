// Words of two 16-bit integers, as add_pairs multiplies them. Included after lanes_*.h.

namespace r1::kernels {
namespace {

/// `low` in the low halves, `high` in the high ones.
inline I32x16 pair_lanes(I32x16 low, I32x16 high) {
  return (low & broadcast(int32_t{0xffff})) | shift_left<16>(high);
}

}  // namespace
}  // namespace r1::kernels

// Every op on every backend: its forward against the plain version, its backward against central differences
// (op_cases.h).
#include "tests/nn/op_check.h"

namespace r1 {
namespace {

using namespace op_cases;

class OpCasesTest : public testing::TestWithParam<Case> {};

TEST_P(OpCasesTest, AgreesWithThePlainVersionOnEveryBackend) {
  EXPECT_GT(check_on_all_backends(GetParam()), 0) << "no backend supports it";
}

std::string name_of(const testing::TestParamInfo<Case>& info) {
  return info.param.name;
}
INSTANTIATE_TEST_SUITE_P(Dense, OpCasesTest, testing::ValuesIn(dense_cases()), name_of);
INSTANTIATE_TEST_SUITE_P(Attention, OpCasesTest, testing::ValuesIn(attention_cases()), name_of);
INSTANTIATE_TEST_SUITE_P(Experts, OpCasesTest, testing::ValuesIn(expert_cases()), name_of);
INSTANTIATE_TEST_SUITE_P(Rows, OpCasesTest, testing::ValuesIn(row_cases()), name_of);

}  // namespace
}  // namespace r1

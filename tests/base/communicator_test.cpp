#include "base/communicator.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <vector>

#include "base/error.h"

namespace r1 {
namespace {

TEST(CommunicatorTest, OneProcessKeepsWhatItHas) {
  const std::unique_ptr<Communicator> alone = std::make_unique<SingleProcess>();
  EXPECT_EQ(alone->rank(), 0);
  EXPECT_EQ(alone->size(), 1);
  alone->set_deadline(std::chrono::milliseconds(1));
  std::vector<float> values = {1, -2, 0.5F};
  alone->sum(values);
  EXPECT_EQ(values, (std::vector<float>{1, -2, 0.5F}));
  std::array<std::byte, 3> mine = {std::byte{7}, std::byte{8}, std::byte{9}};
  std::array<std::byte, 3> all = {};
  alone->gather(mine, all);
  EXPECT_EQ(all, mine);
  alone->broadcast(mine, 0);
  EXPECT_EQ(all, mine);
}

TEST(CommunicatorTest, SizesAndRanksThatDoNotFitAreRefused) {
  SingleProcess alone;
  std::array<std::byte, 3> mine = {};
  std::array<std::byte, 6> all = {};
  const auto message = [](const auto& call) -> std::string {
    try {
      call();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::invalid_argument);
      return error.what();
    }
    return "accepted";
  };
  EXPECT_EQ(message([&] { alone.gather(mine, all); }),
            "communicator: gather: expected room for 3 bytes, found 6");
  EXPECT_EQ(message([&] { alone.broadcast(mine, 1); }),
            "communicator: broadcast: root: expected rank 0, found 1");
  EXPECT_EQ(message([&] { alone.set_deadline(std::chrono::milliseconds(0)); }),
            "communicator: deadline: expected more than 0 ms, found 0 ms");
}

}  // namespace
}  // namespace r1

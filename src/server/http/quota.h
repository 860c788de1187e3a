// What requests hold (bytes, open answers), counted in all and by owner.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

namespace r1::server {

/// What one thing holds of the quota, for as long as it lives. Its functions may be called from any thread,
/// one at a time.
class QuotaHold {
 public:
  using Sum = std::shared_ptr<std::atomic<int64_t>>;
  struct Limits {
    int64_t all = INT64_MAX, owner = INT64_MAX;
  };

  QuotaHold(Sum all, Sum owner, const Limits& limits)
      : all_(std::move(all)), owner_(std::move(owner)), limits_(limits) {}
  QuotaHold(const QuotaHold&) = delete;
  ~QuotaHold() { change(-amount_); }

  /// False: that is more than everything, or than this owner, may hold. It is counted all the same.
  bool grow_to(int64_t amount) {
    change(amount - amount_);
    return *all_ <= limits_.all && *owner_ <= limits_.owner;
  }

 private:
  void change(int64_t more) {
    amount_ += more;
    *all_ += more;
    *owner_ += more;
  }

  Sum all_, owner_;
  const Limits limits_;
  int64_t amount_ = 0;
};

/// Makes holds. One thread; the holds may outlive it.
class Quota {
 public:
  /// The owner "" (no keys: everybody is one) may have everything. Must be set before the first hold.
  void set_limits(const QuotaHold::Limits& limits) { limits_ = limits; }

  std::shared_ptr<QuotaHold> hold(const std::string& owner) {
    if (owners_.size() > kManyOwners)
      std::erase_if(owners_, [](const auto& entry) { return entry.second.use_count() == 1; });
    QuotaHold::Sum& sum = owners_[owner];
    if (!sum) sum = std::make_shared<std::atomic<int64_t>>(0);
    return std::make_shared<QuotaHold>(all_, sum,
                                       owner.empty() ? QuotaHold::Limits{limits_.all, limits_.all} : limits_);
  }

 private:
  static constexpr size_t kManyOwners = 1000;  // then those who hold nothing are forgotten

  QuotaHold::Limits limits_;
  QuotaHold::Sum all_ = std::make_shared<std::atomic<int64_t>>(0);
  std::map<std::string, QuotaHold::Sum> owners_;
};

}  // namespace r1::server

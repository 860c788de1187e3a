#include "server/api/response_items.h"

#include <algorithm>
#include <utility>

namespace r1::server {

void ResponseItems::drop_oldest(Shelf& shelf) {
  const std::size_t bytes = shelf.items.front().bytes();
  shelf.items.pop_front();
  shelf.bytes -= bytes;
  bytes_ -= bytes;
}

void ResponseItems::add(const std::string& key_name, const Json& output) {
  const auto now = std::chrono::steady_clock::now();
  const std::lock_guard lock(mutex_);
  for (auto shelf = shelves_.begin(); shelf != shelves_.end();) {
    while (!shelf->second.items.empty() && now - shelf->second.items.front().time > limits_.keep)
      drop_oldest(shelf->second);
    shelf = shelf->second.items.empty() ? shelves_.erase(shelf) : std::next(shelf);
  }
  for (const Json& one : output) {
    if (one.value("type", "") == "reasoning") continue;
    Item item{one.value("id", ""), one.dump(-1, ' ', false, Json::error_handler_t::replace), now};
    const std::size_t bytes = item.bytes();
    if (item.id.empty() || bytes > limits_.key_bytes) continue;
    Shelf& shelf = shelves_[key_name];
    while (shelf.bytes + bytes > limits_.key_bytes) drop_oldest(shelf);
    if (bytes_ + bytes > limits_.all_bytes) return;
    shelf.items.push_back(std::move(item));
    shelf.bytes += bytes;
    bytes_ += bytes;
  }
}

Json ResponseItems::find(const std::string& key_name, const std::string& id) const {
  std::string text;
  {
    const std::lock_guard lock(mutex_);
    const auto shelf = shelves_.find(key_name);
    if (shelf == shelves_.end()) return nullptr;
    const auto item = std::ranges::find(shelf->second.items, id, &Item::id);
    if (item == shelf->second.items.end()) return nullptr;
    if (std::chrono::steady_clock::now() - item->time > limits_.keep) return nullptr;
    text = item->text;
  }
  return Json::parse(text);
}

}  // namespace r1::server

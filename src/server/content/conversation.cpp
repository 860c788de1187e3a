#include "server/content/conversation.h"

#include <sys/random.h>

#include <array>
#include <stdexcept>

namespace r1::site {
namespace {

template <typename T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

}  // namespace

std::string_view name_of(AnswerState state) {
  static constexpr std::array<std::string_view, 5> names{"running", "done", "stopped", "length", "failed"};
  return names[static_cast<size_t>(state)];
}

Json to_json(const AttachedFile& file) {
  return {{"id", file.id}, {"name", file.name}, {"bytes", file.bytes}, {"tokens", file.tokens}};
}

Json to_json(const Source& source) {
  return {{"number", source.number},    {"title", source.title},
          {"url", or_null(source.url)}, {"document", or_null(source.document)},
          {"site", source.site},        {"date", or_null(source.date)},
          {"snippet", source.snippet}};
}

Json to_json(const std::vector<Source>& sources) {
  Json list = Json::array();
  for (const Source& source : sources) list.push_back(to_json(source));
  return list;
}

Json to_json(const Summary& summary) {
  return {
      {"id", summary.id},           {"title", summary.title},        {"created", summary.created},
      {"updated", summary.updated}, {"leaf", or_null(summary.leaf)}, {"running", or_null(summary.running)}};
}

Json to_json(const Node& node) {
  Json json = {{"id", node.id},
               {"parent", or_null(node.parent)},
               {"role", node.role == Role::user ? "user" : "assistant"},
               {"created", node.created},
               {"content", node.content}};
  if (node.role == Role::user) {
    json["files"] = Json::array();
    for (const AttachedFile& file : node.files) json["files"].push_back(to_json(file));
    return json;
  }
  json["reasoning"] = node.reasoning;
  json["thinking_ms"] = or_null(node.thinking_ms);
  json["state"] = name_of(node.state);
  json["error"] = node.error;
  json["model"] = node.model;
  json["deep_think"] = node.deep_think;
  json["search"] = node.search;
  json["sources"] = to_json(node.sources);
  json["usage"] = node.usage;
  json["timing"] = node.timing;
  return json;
}

Json to_json(const Conversation& conversation) {
  Json json = to_json(static_cast<const Summary&>(conversation));
  json["nodes"] = Json::array();
  for (const Node& node : conversation.nodes) json["nodes"].push_back(to_json(node));
  return json;
}

bool is_valid_id(std::string_view id) {
  if (id.size() < 8 || id.size() > 64) return false;
  for (const char c : id) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!letter && !(c >= '0' && c <= '9') && c != '_' && c != '-') return false;
  }
  return true;
}

std::string make_id() {
  std::array<unsigned char, 16> bytes{};
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    throw std::runtime_error("the system gives no random bytes");
  }
  std::string id;
  for (const unsigned char byte : bytes) {
    id += "0123456789abcdef"[byte >> 4];
    id += "0123456789abcdef"[byte & 15];
  }
  return id;
}

}  // namespace r1::site

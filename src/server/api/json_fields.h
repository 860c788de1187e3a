// Reads a request's JSON object field by field. What is left is judged by the table of field_rules.h.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "server/api/field_rules.h"
#include "server/http/api_error.h"

namespace r1::server {

/// Parses a text of a request: valid UTF-8, one JSON value, at most kMaxJsonLevels deep, no key twice in an
/// object. `field`: where it stands, for messages; empty: it is the body. Throws ApiError 400.
Json parse_json(std::string_view text, const std::string& field);
/// The body: an object.
Json parse_body(std::string_view body);

/// A view of an object; the object must outlive it. A field that is null counts as absent. Every function
/// throws ApiError 400 that names the field, what was expected and what was found.
class JsonFields {
 public:
  /// `path`: in front of the names in messages, "" for the body itself. `rules`: what it may hold besides the
  /// fields that are read.
  explicit JsonFields(const Json& object, std::string path = "", RequestObject rules = RequestObject::none);

  /// The field's value; null when it is absent. Marks it as known.
  const Json* find(std::string_view name);
  bool has(std::string_view name) { return find(name) != nullptr; }
  const Json& require(std::string_view name);

  std::optional<bool> boolean(std::string_view name);
  std::optional<int64_t> integer(std::string_view name, int64_t low = std::numeric_limits<int64_t>::min(),
                                 int64_t high = std::numeric_limits<int64_t>::max());
  std::optional<double> number(std::string_view name, double low, double high);
  std::optional<std::string> text(std::string_view name);
  std::string required_text(std::string_view name);
  /// A text that is one of `choices`.
  std::optional<std::string> choice(std::string_view name, const std::vector<std::string_view>& choices);
  /// A list of texts, or one text.
  std::vector<std::string> texts(std::string_view name, size_t max_size);
  const Json* object(std::string_view name);
  const Json* array(std::string_view name);

  /// Judges the fields that were never asked for, null ones aside: hints are taken, what is not supported is
  /// refused with its reason unless it asks for nothing, and what has no rule is not known. A message of the
  /// history may hold anything else: clients and gateways leave their notes there.
  void refuse_unknown() const;

  std::string full_name(std::string_view name) const;

 private:
  const Json& object_;
  std::string path_;
  RequestObject rules_;
  std::set<std::string, std::less<>> known_;
};

}  // namespace r1::server

#include "grammar/schema_document.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include "base/error.h"

namespace r1::grammar {
namespace {

constexpr int64_t kBytesOfPlace = 160;
constexpr size_t kMaxPathParts = 40;

bool has_scheme(std::string_view uri) {
  const size_t colon = uri.find(':');
  return colon != uri.npos && colon > 0 && uri.find_first_of("/?#") > colon;
}

/// RFC 3986 section 5.2, for the references that schemas have: absolute, from the host's root, or beside the base.
std::string join(const std::string& base, const std::string& reference) {
  if (has_scheme(reference) || base.empty()) return reference;
  const size_t scheme = base.find("://");
  const size_t path = base.find('/', scheme == base.npos ? 0 : scheme + 3);
  if (reference.starts_with("/")) return base.substr(0, path) + reference;
  if (path == base.npos) return base + "/" + reference;
  return base.substr(0, base.rfind('/') + 1) + reference;
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    int value = 0;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(&text[i + 1], &text[i + 1] + 2, value, 16).ptr == &text[i + 1] + 2) {
      out.push_back(static_cast<char>(value));
      i += 2;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

/// Whose values are documents, not schemas.
bool holds_documents(const std::string& key) {
  return key == "enum" || key == "const" || key == "default" || key == "examples" || key == "example";
}

}  // namespace

SchemaDocument::SchemaDocument(const Schema& root, std::string name, Budget& budget)
    : root_(&root), name_(std::move(name)) {
  resources_.push_back({"", root_});
  scan(budget);
}

void SchemaDocument::scan(Budget& budget) {
  struct Open {
    const Schema* part;
    int32_t resource;
  };
  std::vector<Open> open = {{root_, 0}};
  places_[root_] = {nullptr, "", 0};
  const auto text_of = [](const Schema& part, const char* key) {
    const auto found = part.find(key);
    return found != part.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  while (!open.empty()) {
    Open at = open.back();
    open.pop_back();
    const Schema& part = *at.part;
    if (part.is_object()) {
      std::string id = text_of(part, "$id");
      // Draft 4's "id" is also a common name for other things: it counts at the root and as an anchor.
      if (id.empty() && (&part == root_ || text_of(part, "id").starts_with('#'))) id = text_of(part, "id");
      std::string uri = id.substr(0, id.find('#'));
      if (!uri.empty()) {
        if (&part == root_) {
          resources_[0].base = uri;
        } else {
          uri = join(resources_[at.resource].base, uri);
          resources_.push_back({uri, &part});
          at.resource = static_cast<int32_t>(resources_.size() - 1);
          places_[&part].resource = at.resource;
        }
        resource_of_uri_.try_emplace(uri, at.resource);
      }
      if (id.size() > uri.size() && id.starts_with('#') && id.size() > 1)
        resources_[at.resource].anchors.try_emplace(id.substr(1), &part);
      for (const char* keyword : {"$anchor", "$dynamicAnchor"}) {
        if (const std::string name = text_of(part, keyword); !name.empty())
          resources_[at.resource].anchors.try_emplace(name, &part);
      }
      for (const auto& [key, value] : part.items()) {
        if (!value.is_structured() || holds_documents(key)) continue;
        places_[&value] = {&part, key, at.resource};
        open.push_back({&value, at.resource});
        budget.add_bytes(kBytesOfPlace + static_cast<int64_t>(key.size()));
        budget.add_steps(20);
      }
    } else if (part.is_array()) {
      for (size_t i = 0; i < part.size(); ++i) {
        if (!part[i].is_structured()) continue;
        places_[&part[i]] = {&part, std::to_string(i), at.resource};
        open.push_back({&part[i], at.resource});
        budget.add_bytes(kBytesOfPlace);
        budget.add_steps(20);
      }
    }
  }
}

std::string SchemaDocument::path(const Schema& part) const {
  std::vector<std::string> parts;
  const Schema* at = &part;
  for (auto place = places_.find(at); place != places_.end() && place->second.parent != nullptr;
       place = places_.find(at)) {
    const auto& [parent, key, resource] = place->second;
    if (!key.empty()) parts.push_back(parent->is_array() ? "[" + key + "]" : "." + key.substr(0, 60));
    at = parent;
  }
  std::string path = name_;
  if (parts.size() > kMaxPathParts) {
    path += "…";
    parts.resize(kMaxPathParts);
  }
  for (auto it = parts.rbegin(); it != parts.rend(); ++it) path += *it;
  return path;
}

const Schema* SchemaDocument::at_pointer(const Schema& from, std::string_view pointer) const {
  const Schema* at = &from;
  while (!pointer.empty()) {
    pointer.remove_prefix(1);  // the '/'
    const std::string_view escaped = pointer.substr(0, pointer.find('/'));
    pointer.remove_prefix(escaped.size());
    std::string key;
    for (size_t i = 0; i < escaped.size(); ++i) {
      if (escaped[i] == '~' && i + 1 < escaped.size()) {
        key.push_back(escaped[++i] == '1' ? '/' : '~');
      } else {
        key.push_back(escaped[i]);
      }
    }
    if (at->is_object()) {
      const auto found = at->find(key);
      if (found == at->end()) return nullptr;
      at = &*found;
    } else if (at->is_array()) {
      size_t index = 0;
      const auto [end, problem] = std::from_chars(key.data(), key.data() + key.size(), index);
      if (problem != std::errc() || end != key.data() + key.size() || index >= at->size()) return nullptr;
      at = &(*at)[index];
    } else {
      return nullptr;
    }
  }
  return at;
}

const Schema& SchemaDocument::resolve(const Schema& part) const {
  const Schema& value = part["$ref"];
  if (!value.is_string())
    throw_error(ErrorKind::invalid_argument, "{}.$ref: expected a text, found {}", path(part),
                value.type_name());
  const auto& reference = value.get_ref<const std::string&>();
  const size_t hash = reference.find('#');
  const std::string uri = reference.substr(0, hash);
  const std::string fragment = hash == reference.npos ? "" : percent_decoded(reference.substr(hash + 1));
  const auto place = places_.find(&part);
  int32_t resource = place == places_.end() ? 0 : place->second.resource;
  if (!uri.empty()) {
    auto found = resource_of_uri_.find(join(resources_[resource].base, uri));
    if (found == resource_of_uri_.end()) found = resource_of_uri_.find(uri);
    if (found == resource_of_uri_.end())
      throw_error(ErrorKind::unsupported,
                  "{}.$ref: only references inside the schema are supported (\"#/…\"), found {}", path(part),
                  value.dump().substr(0, 80));
    resource = found->second;
  }
  for (const int32_t candidate : {resource, 0}) {
    const Resource& in = resources_[candidate];
    if (fragment.empty()) return *in.root;
    if (fragment.starts_with('/')) {
      if (const Schema* found = at_pointer(*in.root, fragment)) return *found;
    } else if (const auto found = in.anchors.find(fragment); found != in.anchors.end()) {
      return *found->second;
    }
  }
  throw_error(ErrorKind::invalid_argument, "{}.$ref: there is no {}", path(part), reference.substr(0, 80));
}

const Schema& SchemaDocument::keep(Schema made, const Schema& origin) {
  made_.push_back(std::move(made));
  const auto place = places_.find(&origin);
  places_[&made_.back()] = {&origin, "", place == places_.end() ? 0 : place->second.resource};
  return made_.back();
}

}  // namespace r1::grammar

# What the docstrings of public headers must say; CONTRIBUTING.md has the list.
# Fed with headers by ./dev check; names each line that says less.

function complain(what) {
  printf "%s:%d: %s: %s\n", FILENAME, FNR, what, $0
  bad = 1
}

FNR == 1 { doc = ""; detail = 0 }
/^namespace detail/ { detail = 1 }
/^} \/\/ namespace detail/ { detail = 0 }
/^ *\/\/\// { doc = doc "\n" $0; next }

# Between a docstring and the name that it is about.
/^ *(template <|requires)/ { next }
/^ *[A-Za-z_:<>,*& ]+$/ && !/^ *(public|private|protected|class|struct|enum) ?/ { next }
detail { doc = ""; next }

{ words = tolower(doc "\n" $0) }

# Types, but for specialisations, which their template documents.
/^(class|struct|enum class) / && !/;$/ && $2 !~ /</ {
  if (doc == "") complain("no docstring")
  if ($1 == "class" && words !~ /thread/) complain("says nothing of threads")
}

# Functions outside of classes, but for what CAF calls.
/^[a-z].*\(/ && !/^(class|struct|enum|namespace|using|static_assert|constexpr|inline constexpr|concept|auto inspect|bool inspect|GALAXYCACHE)/ {
  if (doc == "") complain("no docstring")
}

# Numbers with a unit; a duration has its own.
/^  [a-z:_ ]*(std::size_t|std::u?int[0-9]+_t|int|double) [a-z_]*(max|min|capacity|size|bytes|ratio|limit|workers|segments|weight)([a-z_]*[a-z])?( =.*|\{.*)?;/ {
  if (words !~ /bytes|keys|gets|loads|actors|fetches|entries|threads|points|calls|share|divided|counters/)
    complain("has no unit")
}

# Errors.
/(variant<.*failure>|key_error) [a-z_]+\(/ {
  if (words !~ /error|failure|`[a-z_]+`/) complain("says nothing of errors")
}
/^  (explicit )?(universe\(caf|galaxy add_galaxy|void (set_peers|add_peer))/ || /^app_options options_from/ {
  if (words !~ /throws/) complain("does not say what it throws")
}

{ doc = "" }
END { exit bad }

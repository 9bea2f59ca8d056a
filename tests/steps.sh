# Sourced by the scripts behind `make`: steps that are listed first and then run one after another, so that each can say how
# far it is. The first one that fails ends the run and is named.

titles=() commands=()

step() { # title, command and arguments
  titles+=("$1")
  commands+=("$(printf '%q ' "${@:2}")")
}

run_steps() {
  local total=${#titles[@]} began=$SECONDS at started
  for at in "${!titles[@]}"; do
    started=$SECONDS
    printf '\n==> [%d/%d] %s\n' $((at + 1)) "$total" "${titles[at]}" >&2
    if ! eval "${commands[at]}"; then
      printf '\n==> [%d/%d] FAILED: %s\n' $((at + 1)) "$total" "${titles[at]}" >&2
      exit 1
    fi
    printf '==> done in %d s\n' $((SECONDS - started)) >&2
  done
  printf '\n==> all %d steps passed in %d s\n' "$total" $((SECONDS - began)) >&2
}

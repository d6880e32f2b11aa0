# shellcheck shell=bash disable=SC2154 # variables of bench_peers.sh and of the section
# What do all runs of a section say together?

# Of the rounds in $dir/rounds: the median of a column of a tool.
median() { # tool, column
  awk -F '\t' -v tool="$1" -v column="$2" '$1 == tool { print $column }' "$dir/rounds" | sort -n |
    awk '{ v[NR] = $1 } END { if (NR) print v[int((NR + 1) / 2)] }'
}

# Median, minimum and maximum of our CPU over the peer's, each round by itself.
ratio() { # ours, peer
  awk -F '\t' -v ours="$1" -v peer="$2" '
    $1 == ours { a[$2] = $3 }
    $1 == peer { b[$2] = $3 }
    END { for (r in a) if (r in b) printf "%.3f\n", a[r] / b[r] }' "$dir/rounds" | sort -n |
    awk '{ v[NR] = $1 } END { if (NR) print v[int((NR + 1) / 2)], v[1], v[NR] }'
}

table() { # tools
  local tool row column
  {
    printf '| tool | CPU µs/call | calls/s | %% of a core | peak RSS MB |'
    ((${#columns[@]} == 0)) || printf ' %s |' "${columns[@]}"
    printf ' CPU of %s ÷ its |\n|---|' "$1"
    printf -- '---:|%.0s' 1 2 3 4 5 "${columns[@]}"
    echo
    for tool in "$@"; do
      [[ -n $(median "$tool" 3) ]] || continue
      row=$(printf '%s\t%.2f\t%.0f\t%.0f\t%.1f' "$tool" "$(median "$tool" 3)" "$(median "$tool" 4)" "$(median "$tool" 6)" \
        "$(median "$tool" 5)")
      for ((column = 0; column < ${#columns[@]}; column++)); do
        row+=$'\t'$(median "$tool" $((column + 7)))
      done
      if [[ $tool == "$1" ]]; then
        row+=$'\t'
      else
        row+=$'\t'$(ratio "$1" "$tool" | awk '{ printf "%.3g (%.3g to %.3g)", $1, $2, $3 }')
      fi
      echo "| ${row//$'\t'/ | } |"
    done
  }
}

# Says whether our CPU is at most so much of a peer's.
demand() { # ours, peer, limit, goal or nothing
  ratio "$1" "$2" | awk -v ours="$1" -v peer="$2" -v limit="$3" -v goal="${4-}" '{
      split(limit "/1", f, "/")
      printf "- %s: CPU of %s at most %s of that of %s: %.3g", $1 <= f[1] / f[2] ? "holds" : "MISSED", ours, limit, peer, $1
      if (goal != "") printf " (goal %s: %s)", goal, $1 <= goal ? "holds" : "missed"
      print ""
    } END { if (!NR) printf "- not measured: CPU of %s at most %s of that of %s\n", ours, limit, peer }'
}

# Says whether ours makes so many calls a second of those of its peer, in the median of the rounds.
demand_rate() { # ours, peer, least
  median "$1" 4 | awk -v ours="$1" -v peer="$2" -v least="$3" -v its="$(median "$2" 4)" '
    its > 0 { printf "- %s: calls a second of %s at least %s of those of %s: %.3g\n",
      ($1 >= least * its) ? "holds" : "MISSED", ours, least, peer, $1 / its; said = 1 }
    END { if (!said) printf "- not measured: calls a second of %s at least %s of those of %s\n", ours, least, peer }'
}

# The largest value of a column of a tool in any round.
largest() { # tool, column
  awk -F '\t' -v tool="$1" -v column="$2" '$1 == tool { print $column }' "$dir/rounds" | sort -n | tail -n 1
}

# Says whether a column is at most a limit: its median, or its largest value.
demand_value() { # tool, column, what, limit, median or largest
  "${5:-median}" "$1" "$2" | awk -v tool="$1" -v what="$3" -v limit="$4" '
    { printf "- %s: %s: %s at most %s: %s\n", $1 <= limit ? "holds" : "MISSED", tool, what, limit, $1 }
    END { if (!NR) printf "- not measured: %s: %s at most %s\n", tool, what, limit }'
}

"""How bash, zsh and fish ask for completions, and the scripts by which they do.

A script calls attnsearch with the line that is typed. What comes back is a line for each item: its kind, the
value and a description, with tabs between them. The kind `file` asks the shell for files.
"""

from __future__ import annotations

from collections.abc import Iterator

from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
)

_ZSH = """\
#compdef %(prog_name)s

%(complete_func)s() {
    local line
    local -a parts plain described
    (( $+commands[%(prog_name)s] )) || return 1
    # Of --task=lin the value alone is completed.
    [[ $PREFIX == --*=* ]] && compset -P 1 '*='
    while IFS= read -r line; do
        parts=("${(@ps:\\t:)line}")
        case $parts[1] in
            file) _path_files -f ;;
            dir) _path_files -/ ;;
            plain)
                if [[ -n $parts[3] ]]; then
                    described+=("${parts[2]//:/\\\\:}:$parts[3]")
                else
                    plain+=("$parts[2]")
                fi ;;
        esac
    done < <(COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT - 1)) %(complete_var)s=zsh_complete %(prog_name)s)
    (( $#described )) && _describe -V %(prog_name)s described
    (( $#plain )) && compadd -V %(prog_name)s -a plain
    return 0
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    %(complete_func)s "$@"
else
    (( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i }
    compdef %(complete_func)s %(prog_name)s
fi
"""

_FISH = """\
function %(complete_func)s
    set -lx COMP_WORDS (commandline -cp | string collect)
    set -lx COMP_CWORD (commandline -ct | string collect)
    for line in (%(complete_var)s=fish_complete %(prog_name)s)
        set -l parts (string split \\t -- $line)
        switch $parts[1]
            case file
                # What stands before the file, as --out= does, is the third part.
                for path in (__fish_complete_path $parts[2])
                    echo -- $parts[3]$path
                end
            case dir
                __fish_complete_directories $parts[2]
            case plain
                string join \\t -- $parts[2..]
        end
    end
end

complete --no-files --keep-order --command %(prog_name)s --arguments "(%(complete_func)s)"
"""


class Bash(BashComplete):
    """bash, which takes `--task=NAME` for three words."""

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the typed one, and that."""
        words, incomplete = super().get_completion_args()
        if incomplete != "=" and words[-1:] == ["="]:
            # The value of an option is what is typed.
            words.pop()
        return list(_whole(words)), incomplete


class Zsh(ZshComplete):
    """zsh, with a description beside each item that has one."""

    source_template = _ZSH

    def format_completion(self, item: CompletionItem[str]) -> str:
        """A line."""
        return _line(item.type, item.value, item.help)


class Fish(FishComplete):
    """fish, which completes a word as a whole: `--task=linear_map`."""

    source_template = _FISH

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[str]]:
        """The items; of a value after `=` with what stands before it."""
        found = super().get_completions(args, incomplete)
        option, equals, _ = incomplete.partition("=")
        if not (equals and option.startswith("--")):
            return found
        before = option + equals
        return [
            CompletionItem(item.value, type=item.type, help=before)
            if item.type == "file"
            else CompletionItem(before + item.value, type=item.type, help=item.help)
            for item in found
        ]

    def format_completion(self, item: CompletionItem[str]) -> str:
        """A line."""
        return _line(item.type, item.value, item.help)


SHELLS: dict[str, type[ShellComplete]] = {"bash": Bash, "zsh": Zsh, "fish": Fish}
"""Each shell by its name."""


def register() -> None:
    """Have click answer these shells."""
    for kind in SHELLS.values():
        add_completion_class(kind)


def _line(kind: str, value: str, description: str | None) -> str:
    return "\t".join([kind, *(" ".join(text.split()) for text in (value, description or ""))])


def _whole(words: list[str]) -> Iterator[str]:
    """`words` with `--task`, `=` and `NAME` in one."""
    waiting = list(words)
    while waiting:
        word = waiting.pop(0)
        if word.startswith("--") and waiting[:1] == ["="]:
            word += "".join(waiting[:2])
            del waiting[:2]
        yield word

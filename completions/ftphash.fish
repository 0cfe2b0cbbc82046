# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_ftphash_global_optspecs
    string join \n h/help V/version
end

function __fish_ftphash_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_ftphash_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_ftphash_using_subcommand
    set -l cmd (__fish_ftphash_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c ftphash -n "__fish_ftphash_needs_command" -s h -l help -d 'Print help'
complete -c ftphash -n "__fish_ftphash_needs_command" -s V -l version -d 'Print version'
complete -c ftphash -n "__fish_ftphash_needs_command" -f -a "sum" -d 'Print the digest of each file'
complete -c ftphash -n "__fish_ftphash_needs_command" -f -a "verify" -d 'Check files against the digests in a manifest'
complete -c ftphash -n "__fish_ftphash_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c ftphash -n "__fish_ftphash_using_subcommand sum" -s a -l algorithm -d 'Which digest' -r
complete -c ftphash -n "__fish_ftphash_using_subcommand sum" -s h -l help -d 'Print help'
complete -c ftphash -n "__fish_ftphash_using_subcommand verify" -s a -l algorithm -d 'Which digest, where its length does not tell (default: by length)' -r
complete -c ftphash -n "__fish_ftphash_using_subcommand verify" -l quiet -d 'Do not print OK for each good file'
complete -c ftphash -n "__fish_ftphash_using_subcommand verify" -l status -d 'Print nothing; the exit status tells'
complete -c ftphash -n "__fish_ftphash_using_subcommand verify" -s h -l help -d 'Print help'
complete -c ftphash -n "__fish_ftphash_using_subcommand help; and not __fish_seen_subcommand_from sum verify help" -f -a "sum" -d 'Print the digest of each file'
complete -c ftphash -n "__fish_ftphash_using_subcommand help; and not __fish_seen_subcommand_from sum verify help" -f -a "verify" -d 'Check files against the digests in a manifest'
complete -c ftphash -n "__fish_ftphash_using_subcommand help; and not __fish_seen_subcommand_from sum verify help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'

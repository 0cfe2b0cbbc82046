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
complete -c ftphash -n "__fish_ftphash_needs_command" -f -a "sum" -d 'Print the digests of files and of all files in trees'
complete -c ftphash -n "__fish_ftphash_needs_command" -f -a "verify" -d 'Check files against the digests in a manifest'
complete -c ftphash -n "__fish_ftphash_needs_command" -f -a "confirm" -d 'Check local files against what an FTP server said about them'
complete -c ftphash -n "__fish_ftphash_needs_command" -f -a "compare" -d 'Compare two trees, or two files'
complete -c ftphash -n "__fish_ftphash_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c ftphash -n "__fish_ftphash_using_subcommand sum" -s a -l algorithm -d 'Which digest; several, with commas, are taken in one read, and printed in tagged lines' -r -f -a "crc32\t''
md5\t''
sha-1\t''
sha-256\t''
sha-512\t''
whirlpool\t''
blake3\t''"
complete -c ftphash -n "__fish_ftphash_using_subcommand sum" -s r -l recursive -d 'Read the directories among the files too: all regular files below them, sorted; symbolic links are not followed, and other files are named and left out'
complete -c ftphash -n "__fish_ftphash_using_subcommand sum" -l tag -d 'Print tagged lines'
complete -c ftphash -n "__fish_ftphash_using_subcommand sum" -l json -d 'Print an object in JSON on each line'
complete -c ftphash -n "__fish_ftphash_using_subcommand sum" -s z -l zero -d 'End lines with NUL, and print names as they are'
complete -c ftphash -n "__fish_ftphash_using_subcommand sum" -l no-progress -d 'Show no progress; there is none unless the standard error is a terminal'
complete -c ftphash -n "__fish_ftphash_using_subcommand sum" -s h -l help -d 'Print help'
complete -c ftphash -n "__fish_ftphash_using_subcommand verify" -s a -l algorithm -d 'Which digest, where neither a name nor its length tells (default for a length: the SHA of it, MD5, CRC32)' -r -f -a "crc32\t''
md5\t''
sha-1\t''
sha-256\t''
sha-512\t''
whirlpool\t''
blake3\t''"
complete -c ftphash -n "__fish_ftphash_using_subcommand verify" -l quiet -d 'Do not print OK for each good file'
complete -c ftphash -n "__fish_ftphash_using_subcommand verify" -l status -d 'Print nothing; the exit status tells'
complete -c ftphash -n "__fish_ftphash_using_subcommand verify" -l ignore-missing -d 'Pass over files that are not there'
complete -c ftphash -n "__fish_ftphash_using_subcommand verify" -l strict -d 'Fail if a line is improperly formatted'
complete -c ftphash -n "__fish_ftphash_using_subcommand verify" -s w -l warn -d 'Name each improperly formatted line'
complete -c ftphash -n "__fish_ftphash_using_subcommand verify" -s z -l zero -d 'Lines end with NUL, and names are as they are'
complete -c ftphash -n "__fish_ftphash_using_subcommand verify" -l no-progress -d 'Show no progress; there is none unless the standard error is a terminal'
complete -c ftphash -n "__fish_ftphash_using_subcommand verify" -l json -d 'Print an object in JSON on each line'
complete -c ftphash -n "__fish_ftphash_using_subcommand verify" -s h -l help -d 'Print help'
complete -c ftphash -n "__fish_ftphash_using_subcommand confirm" -s a -l algorithm -d 'Which digest, where the reply does not tell (default: by length)' -r -f -a "crc32\t''
md5\t''
sha-1\t''
sha-256\t''
sha-512\t''
whirlpool\t''
blake3\t''"
complete -c ftphash -n "__fish_ftphash_using_subcommand confirm" -l reply -d 'A reply of the server' -r
complete -c ftphash -n "__fish_ftphash_using_subcommand confirm" -s t -l transcript -d 'What a client told of its session, or a log of ftpd; - is the standard input (default without --reply: -)' -r -F
complete -c ftphash -n "__fish_ftphash_using_subcommand confirm" -s d -l directory -d 'Where the local files are' -r -F
complete -c ftphash -n "__fish_ftphash_using_subcommand confirm" -l json -d 'Print an object in JSON on each line'
complete -c ftphash -n "__fish_ftphash_using_subcommand confirm" -l ascii -d 'The transfer was in TYPE A'
complete -c ftphash -n "__fish_ftphash_using_subcommand confirm" -l quiet -d 'Do not print OK for each good file'
complete -c ftphash -n "__fish_ftphash_using_subcommand confirm" -l status -d 'Print nothing; the exit status tells'
complete -c ftphash -n "__fish_ftphash_using_subcommand confirm" -l no-progress -d 'Show no progress; there is none unless the standard error is a terminal'
complete -c ftphash -n "__fish_ftphash_using_subcommand confirm" -s h -l help -d 'Print help'
complete -c ftphash -n "__fish_ftphash_using_subcommand compare" -s a -l all -d 'Print `same` for those that are'
complete -c ftphash -n "__fish_ftphash_using_subcommand compare" -l status -d 'Print nothing; the exit status tells'
complete -c ftphash -n "__fish_ftphash_using_subcommand compare" -l json -d 'Print an object in JSON on each line: "path" or "path_hex", and "verdict"'
complete -c ftphash -n "__fish_ftphash_using_subcommand compare" -s z -l zero -d 'End lines with NUL, and print names as they are'
complete -c ftphash -n "__fish_ftphash_using_subcommand compare" -l no-progress -d 'Show no progress; there is none unless the standard error is a terminal'
complete -c ftphash -n "__fish_ftphash_using_subcommand compare" -s h -l help -d 'Print help'
complete -c ftphash -n "__fish_ftphash_using_subcommand help; and not __fish_seen_subcommand_from sum verify confirm compare help" -f -a "sum" -d 'Print the digests of files and of all files in trees'
complete -c ftphash -n "__fish_ftphash_using_subcommand help; and not __fish_seen_subcommand_from sum verify confirm compare help" -f -a "verify" -d 'Check files against the digests in a manifest'
complete -c ftphash -n "__fish_ftphash_using_subcommand help; and not __fish_seen_subcommand_from sum verify confirm compare help" -f -a "confirm" -d 'Check local files against what an FTP server said about them'
complete -c ftphash -n "__fish_ftphash_using_subcommand help; and not __fish_seen_subcommand_from sum verify confirm compare help" -f -a "compare" -d 'Compare two trees, or two files'
complete -c ftphash -n "__fish_ftphash_using_subcommand help; and not __fish_seen_subcommand_from sum verify confirm compare help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'

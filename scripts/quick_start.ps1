# Builds the programs, starts a coordinator and a worker here, runs a first task, and keeps the cluster running.
#
#   scripts\quick_start.ps1          until Ctrl-C
#   scripts\quick_start.ps1 -Once    ends after the first task
#
# OPENCLAW_BIN_DIR names a folder with programs that are built already; nothing is built then.
param([switch]$Once)

$ErrorActionPreference = 'Stop'
Set-Location (Split-Path -Parent $PSScriptRoot)
$config = 'config/config.yaml'
$suffix = if ($env:OS -eq 'Windows_NT') { '.exe' } else { '' }
$running = @()

function Fail([string]$message, [string[]]$next) {
    [Console]::Error.WriteLine("error: $message")
    foreach ($line in $next) { [Console]::Error.WriteLine("  $line") }
    exit 1
}

function Find-Programs {
    if ($env:OPENCLAW_BIN_DIR) { return $env:OPENCLAW_BIN_DIR }
    if (-not (Get-Command cargo -ErrorAction SilentlyContinue)) {
        Fail 'cargo is missing: this project is built with Rust 1.95 or newer' @(
            'winget install Rustlang.Rustup   (or https://rustup.rs), open a new terminal, run this script again',
            'it asks for the Visual Studio Build Tools (C++): Rust links with them')
    }
    Write-Host 'building (release); the first time takes minutes ...'
    $watch = [Diagnostics.Stopwatch]::StartNew()
    cargo build --release --locked -p openclaw-coordinator -p openclaw-worker -p openclaw-cluster
    if ($LASTEXITCODE -ne 0) { Fail 'the build failed' @('the messages above say why; rustc 1.95 or newer is needed') }
    Write-Host ('built in {0:n0} s' -f $watch.Elapsed.TotalSeconds)
    if ($env:CARGO_TARGET_DIR) { return Join-Path $env:CARGO_TARGET_DIR 'release' }
    return Join-Path 'target' 'release'
}

function Start-Program([string]$name, [string[]]$more) {
    New-Item -ItemType Directory -Force -Path logs | Out-Null
    $arguments = @('--config', $config) + $more
    $process = Start-Process -FilePath (Join-Path $bin "$name$suffix") -ArgumentList $arguments -NoNewWindow -PassThru `
        -RedirectStandardOutput "logs/$name.console" -RedirectStandardError "logs/$name.errors"
    # Read once: without it the exit code is not known later.
    $null = $process.Handle
    $script:running += $process
    return $process
}

function Show-Refusal([string]$name) {
    [Console]::Error.WriteLine("error: $name ended:")
    foreach ($file in "logs/$name.errors", "logs/$name.console") {
        if (Test-Path $file) { Get-Content $file -Tail 12 | ForEach-Object { [Console]::Error.WriteLine("  $_") } }
    }
}

# Until the condition holds; $false when the program ended or the time was up.
function Wait-For([int]$seconds, [string]$name, $process, [scriptblock]$condition) {
    $watch = [Diagnostics.Stopwatch]::StartNew()
    while (-not (& $condition)) {
        if ($process.HasExited) { Show-Refusal $name; return $false }
        if ($watch.Elapsed.TotalSeconds -ge $seconds) {
            [Console]::Error.WriteLine("error: $name is not ready after $seconds s; see logs/")
            return $false
        }
        Start-Sleep -Milliseconds 100
    }
    return $true
}

function Test-Line([string]$file, [string]$pattern) {
    (Test-Path $file) -and [bool](Select-String -Path $file -Pattern $pattern -Quiet)
}

function Test-Online {
    # What a program writes to its error stream is no error of this script.
    $ErrorActionPreference = 'Continue'
    [bool](& $cli -c $config node list --status online --quiet 2>$null)
}

# Worker first. Ctrl-C has reached both already; one that is still there after a while is ended hard, which costs nothing
# that was acknowledged.
function Stop-Cluster {
    [array]::Reverse($script:running)
    foreach ($process in $script:running) {
        if (-not $process.HasExited -and -not $process.WaitForExit($(if ($Once) { 0 } else { 45000 }))) {
            Stop-Process -Id $process.Id -Force -ErrorAction SilentlyContinue
            $null = $process.WaitForExit(5000)
        }
    }
    Write-Host 'stopped. Tasks and results are kept in data\.'
}

$bin = Find-Programs
$cli = Join-Path $bin "openclaw-cluster$suffix"
$code = 1
try {
    $coordinator = Start-Program 'openclaw-coordinator' @()
    if (-not (Wait-For 60 'openclaw-coordinator' $coordinator { Test-Line 'logs/openclaw-coordinator.console' '^cluster ".*http://' })) { exit 1 }
    $worker = Start-Program 'openclaw-worker' @('--coordinator-host', '127.0.0.1')
    if (-not (Wait-For 60 'openclaw-worker' $worker { Test-Online })) { exit 1 }

    Write-Host ''
    & $cli -c $config skill list
    Write-Host ''
    Write-Host "> $cli run text-stats --input README.md"
    & $cli -c $config run text-stats --input README.md --output-dir outputs/quick-start --wait 60s --fail-if-unplaceable
    $code = $LASTEXITCODE
    if ($code -eq 3) { Write-Host 'text-stats cannot run here; most likely Python 3 is missing: winget install Python.Python.3.12' }
    Write-Host ''
    & $cli -c $config node list
    Write-Host ''
    Write-Host 'logs   logs\coordinator.log  logs\worker.log'
    Write-Host 'data   data\'
    if (-not $Once) {
        Write-Host ''
        Write-Host 'Next, in another terminal in this folder:'
        foreach ($next in 'skill list', 'run --help', 'task info last', 'token show') { Write-Host "  $cli $next" }
        Write-Host 'Ctrl-C stops the cluster.'
        while (-not $coordinator.HasExited -and -not $worker.HasExited) { Start-Sleep -Milliseconds 500 }
        if ($worker.HasExited) { Show-Refusal 'openclaw-worker' } else { Show-Refusal 'openclaw-coordinator' }
    }
}
finally {
    Stop-Cluster
}
exit $code

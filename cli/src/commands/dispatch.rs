//! From the verb to its file.

use super::session::Session;
use super::{dev, node, ps, run, skill, status, task, token};
use crate::args::{Cli, Command, NodeCommand, SkillCommand, TaskCommand, TokenCommand};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::find::Surroundings;
use crate::output::Printer;

/// Carries out one command line.
pub(crate) async fn dispatch(
    cli: Cli,
    around: Surroundings,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let Cli { global, command } = cli;
    let open = || Session::open(&global, &around, printer);
    match command {
        Command::Dev(args) => dev::dev(&args, &around, printer).await,
        Command::Token(TokenCommand::Show) => token::show(&global, &around, printer),
        Command::Run(args) => run::run(&open()?, &args).await,
        Command::Ps(args) => ps::ps(&open()?, &args).await,
        Command::Status => status::status(&open()?).await,
        Command::Task(TaskCommand::Submit(args)) => task::submit(&open()?, &args.spec).await,
        Command::Task(TaskCommand::List(args)) => task::list(&open()?, args).await,
        Command::Task(TaskCommand::Info(args)) => task::info(&open()?, &args.task).await,
        Command::Task(TaskCommand::Wait(args)) => task::wait(&open()?, args).await,
        Command::Task(TaskCommand::Logs(args)) => task::logs(&open()?, args).await,
        Command::Task(TaskCommand::Cancel(args)) => task::cancel(&open()?, args).await,
        Command::Task(TaskCommand::Explain(args)) => task::explain(&open()?, &args.task).await,
        Command::Node(NodeCommand::List(args)) => node::list(&open()?, &args).await,
        Command::Node(NodeCommand::Info(args)) => node::info(&open()?, &args.name).await,
        Command::Skill(SkillCommand::List) => skill::list(&open()?).await,
        Command::Skill(SkillCommand::Info(args)) => skill::info(&open()?, &args.name).await,
    }
}

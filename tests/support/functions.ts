// The edge functions there are; a repository test compares the list with the folders and config.toml.
export const FUNCTIONS = ["start-workflow", "complete-task", "save-artifact", "upload-file", "invite-collaborator"];
